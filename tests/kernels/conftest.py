"""A sandbox, and one cache of compiled code for the whole suite."""

from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        Sandbox.detect()
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be compiled here: {error}")
    return tmp_path_factory.mktemp("suite")
