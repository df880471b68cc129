"""Targets are read in threads; CPython's own parser of expressions is not safe there."""

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from rocm_pipeline.targets.expressions import evaluate


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Collect garbage all the time and let another thread in whenever that happens."""

    def linger(*_: object) -> None:
        for count in range(50):
            str(count)

    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    gc.callbacks.append(linger)
    gc.set_threshold(50)
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(linger)


@pytest.mark.usefixtures("restless_threads")
def test_expressions_can_be_read_in_many_threads() -> None:
    def read(number: int) -> int:
        return evaluate(f"max(ceildiv(rows * {number}, 2) + min(rows, 3), 1)", {"rows": 2})

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(2000))) == [number + 2 for number in range(2000)]
