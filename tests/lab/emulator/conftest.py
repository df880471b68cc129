"""The emulator under test."""

from pathlib import Path

import pytest

from rocm_pipeline.lab.emulator import Emulator
from rocm_pipeline.lab.sandbox import Sandbox
from tests.lab.emulator.bench import Bench


@pytest.fixture(scope="session")
def bench(sandbox: Sandbox, builds: Path) -> Bench:
    return Bench(Emulator(sandbox, builds / "emulator"))
