"""A sandbox, and the cache of compiled code."""

from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable


@pytest.fixture(scope="session")
def cache(builds: Path) -> Path:
    try:
        Sandbox.detect()
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be compiled here: {error}")
    return builds
