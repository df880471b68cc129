from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fleet.worlds import World


@pytest.fixture
def world(tmp_path: Path) -> Generator[World, None, None]:
    with ExitStack() as stack:
        yield World(stack, tmp_path)
