"""The emulator under test, with a cache of its own."""

import pytest

from rocm_pipeline.lab.emulator import Emulator
from rocm_pipeline.lab.sandbox import Sandbox
from tests.lab.emulator.bench import Bench


@pytest.fixture(scope="session")
def bench(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(Emulator(sandbox, tmp_path_factory.mktemp("emulator-cache")))
