"""What buffers hold before and after a run, however they travel into the sandbox."""

from collections.abc import Callable

import numpy as np
import pytest

from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundLaunch, BoundPlan
from tests.lab.emulator.bench import HEADER, Bench

_COPIES = HEADER + (
    'extern "C" __global__ void k(const unsigned char* x, unsigned char* y, int n) {\n'
    "  for (int i = threadIdx.x; i < n; i += 64) y[i] = x[i];\n"
    "}"
)
_SPOILS = HEADER + (
    'extern "C" __global__ void k(unsigned char* x, unsigned char* y, int n) {\n'
    "  if (threadIdx.x == 0) x[n - 1] += 1;\n"
    "}"
)


def _filled(byte: int) -> Callable[[int], Array]:
    return lambda size: np.full(size, byte, np.uint8)


def _all_but_the_middle(size: int) -> Array:
    values = np.zeros(size, np.uint8)
    values[size // 2] = 1
    return values


def _counted(size: int) -> Array:
    return (np.arange(size) % 251).astype(np.uint8)


_CONTENTS = pytest.mark.parametrize(
    "content",
    [_filled(0), _filled(0xFF), _filled(7), _all_but_the_middle, _counted],
    ids=["zeros", "ones", "sevens", "all but one zero", "counted"],
)


@_CONTENTS
def test_a_kernel_reads_what_a_buffer_holds_in_each_round(
    bench: Bench, content: Callable[[int], Array]
) -> None:
    size = 5000
    first = {"x": content(size), "y": np.full(size, 0xFF, np.uint8)}
    second = {"x": first["x"][::-1], "y": np.zeros(size, np.uint8)}

    run = bench.emulator.run(
        bench.emulator.build(_COPIES, ["k"], 64),
        _launch(),
        first,
        {"n": np.int32(size - 1)},
        outputs=["y"],
        watched=["x"],
        later_rounds=[second, first],
    )

    assert run.findings == ()
    assert run.changed == ()
    outputs = (run.outputs, *run.later_outputs)
    for given, found in zip((first, second, first), outputs, strict=True):
        expected = np.append(given["x"][:-1], given["y"][-1])
        np.testing.assert_array_equal(found["y"], expected)


@_CONTENTS
def test_a_watched_buffer_that_a_kernel_wrote_is_named(
    bench: Bench, content: Callable[[int], Array]
) -> None:
    size = 5000
    buffers = {"x": content(size), "y": np.zeros(size, np.uint8)}

    run = bench.emulator.run(
        bench.emulator.build(_SPOILS, ["k"], 64),
        _launch(),
        buffers,
        {"n": np.int32(size)},
        outputs=["y"],
        watched=["x", "y"],
    )

    assert run.findings == ()
    assert run.changed == ("x",)


def _launch() -> BoundPlan:
    return BoundPlan((BoundLaunch("k", (1, 1, 1), (64, 1, 1), 0, ("x", "y", "n")),), ())
