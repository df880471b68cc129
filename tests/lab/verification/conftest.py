"""A sandbox, and one cache of compiled code for all verifications."""

from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Sandbox


@pytest.fixture(scope="session")
def cache(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    del sandbox  # there is one, or everything here is skipped
    return tmp_path_factory.mktemp("verification")
