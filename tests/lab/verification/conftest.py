"""A sandbox, and the cache of compiled code."""

from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Sandbox


@pytest.fixture(scope="session")
def cache(sandbox: Sandbox, builds: Path) -> Path:
    del sandbox  # there is one, or everything here is skipped
    return builds
