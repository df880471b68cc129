"""How outputs come back from a run: whole, or as the pages that changed."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import EmulatorRun
from rocm_pipeline.lab.emulator.job import PAGE, Job
from rocm_pipeline.lab.emulator.outputs import most_output_bytes, split_outputs
from rocm_pipeline.targets.dtypes import Array
from tests.lab.emulator.bench import Bench, Start

SCATTER = """extern "C" __global__ void k(const int* where, unsigned char* y, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) y[where[i]] = 7;
}"""
FILL = 0xA5


def _run(bench: Bench, places: Sequence[int], y: Array) -> EmulatorRun:
    where = np.array([*places, 0], np.int32)
    start = Start("k", ("where", "y", len(places)))
    return bench.run(SCATTER, start, {"where": where, "y": y})


@pytest.mark.parametrize(
    ("size", "places"),
    [
        (1, []),
        (1, [0]),
        (PAGE, [PAGE - 1]),
        (PAGE + 1, [PAGE]),
        (3 * PAGE, [0, 2 * PAGE]),
        (9 * PAGE - 1, [8 * PAGE - 1, 9 * PAGE - 2]),
        (40 * PAGE + 5, range(0, 40 * PAGE, 997)),
    ],
)
@pytest.mark.parametrize("mixed", [False, True])
def test_an_output_holds_what_was_written_and_else_what_it_held(
    bench: Bench, size: int, places: Sequence[int], mixed: bool
) -> None:
    y = np.full(size, FILL, np.uint8)
    if mixed:
        y[-1] = 1
    expected = y.copy()
    expected[list(places)] = 7

    np.testing.assert_array_equal(_run(bench, places, y).outputs["y"], expected)


def test_a_byte_of_the_filling_that_was_written_again_changes_nothing(bench: Bench) -> None:
    y = np.full(3 * PAGE, 7, np.uint8)
    np.testing.assert_array_equal(_run(bench, [0, PAGE], y).outputs["y"], y)


def _job(size: int, outputs: Sequence[str] = ("y",), rounds: int = 1) -> Job:
    values: Mapping[str, Array] = {
        "x": np.arange(3, dtype=np.float32),
        "y": np.full(size, FILL, np.uint8),
    }
    options: dict[str, Any] = dict.fromkeys(
        ("build", "plan", "scalars", "uninitialised", "watched", "reverse", "samples", "profile")
    )
    return Job(**options, rounds=[values] * rounds, outputs=outputs, conditions="")


def test_each_round_has_its_own_outputs() -> None:
    job = _job(PAGE + 2, ("x", "y"), rounds=2)
    x = struct.pack("<3f", 0, 1, 2)
    data = x + b"\x02" + b"ab" + x + b"\x00"

    first, second = split_outputs(job, data)

    assert first["x"].tolist() == second["x"].tolist() == [0, 1, 2]
    assert bytes(first["y"][-3:]) == bytes([FILL]) + b"ab"
    assert bytes(second["y"]) == bytes([FILL]) * (PAGE + 2)
    assert len(data) < most_output_bytes(job) <= 2 * (12 + 1 + 1 + PAGE + 2)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "lacks 1 bytes"),
        (b"\x00\x00", "1 bytes too many"),
        (b"\x02", "lacks 2 bytes"),
        (b"\x01" + b"a" * (PAGE - 1), "lacks 1 bytes"),
        (b"\x03" + b"a" * (PAGE + 3), "1 bytes too many"),
        (b"\x04" + b"a" * PAGE, "names page 2 of 2"),
        (b"\x80", "names page 7 of 2"),
    ],
)
def test_outputs_of_another_form_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        split_outputs(_job(PAGE + 2), data)
