"""Checks that are left out, or made once for a whole loop, find what the others would find."""

import re
from dataclasses import dataclass

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import EmulatorBuild, EmulatorRun
from rocm_pipeline.lab.emulator.ir import parse_module
from rocm_pipeline.lab.emulator.layout import TypeLayout
from rocm_pipeline.lab.emulator.value_ranges import Range, ValueRanges
from rocm_pipeline.lab.evidence import Status
from tests.lab.emulator.bench import Bench, Start, checks_loops_at_once

_KERNEL = re.compile(r"__global__ void (\w+)\(")
_TILE = """extern "C" __global__ void NAME(const float* x, float* y, int n) {
  __shared__ float tile[64];
  int lane = threadIdx.x;
  WRITE
  float sum = 0.0f;
  for (int i = 0; i < 8; ++i)
    sum += tile[INDEX];
  y[lane] = sum;
}
"""
_DYNAMIC = _TILE.replace("__shared__ float tile[64]", "extern __shared__ float tile[]")
_WRITTEN = "tile[lane] = x[lane]; __syncthreads();"


@dataclass(frozen=True)
class _Loop:
    name: str
    write: str
    index: str
    status: Status
    words: str = ""
    template: str = _TILE
    n: int = 0

    @property
    def kernel(self) -> str:
        return "loop_" + "".join(each if each.isalpha() else "_" for each in self.name)

    @property
    def source(self) -> str:
        named = self.template.replace("NAME", self.kernel)
        return named.replace("WRITE", self.write).replace("INDEX", self.index)


LOOPS = [
    _Loop("an honest row", _WRITTEN, "lane / 8 * 8 + i", Status.PASSED),
    _Loop("an honest column", _WRITTEN, "i * 8 + lane % 8", Status.PASSED),
    _Loop("from the last to the first", _WRITTEN, "7 - i", Status.PASSED),
    _Loop("an index with an argument", _WRITTEN, "n + i", Status.PASSED, n=56),
    _Loop("past the end", _WRITTEN, "lane + i", Status.OUT_OF_BOUNDS, "tile"),
    _Loop("before the beginning", _WRITTEN, "lane - i", Status.OUT_OF_BOUNDS, "tile"),
    _Loop("no barrier", "tile[lane] = x[lane];", "lane / 8 * 8 + i", Status.RACE, "tile"),
    _Loop(
        "half of it unwritten",
        "if (lane < 32) tile[lane] = x[lane]; __syncthreads();",
        "i * 8 + lane % 8",
        Status.NONDETERMINISTIC,
        "tile",
    ),
    _Loop(
        "an index that wraps",
        _WRITTEN,
        "(n * 2 + i)",
        Status.OUT_OF_BOUNDS,
        "32",
        n=2**31 - 1 - 2**30 + 1,
    ),
    _Loop("dynamic LDS", _WRITTEN, "lane / 8 * 8 + i", Status.PASSED, template=_DYNAMIC),
    _Loop(
        "past the end of dynamic LDS",
        _WRITTEN,
        "lane + i",
        Status.OUT_OF_BOUNDS,
        "dynamic LDS",
        template=_DYNAMIC,
    ),
]


_TOGETHER = "".join(each.source for each in LOOPS)
_ALONE = _TOGETHER + "// each alone"


def _run(
    bench: Bench, source: str, kernel: str, n: int, *, profile: bool = False, dynamic: bool = False
) -> EmulatorRun:
    return bench.run(
        source,
        Start(kernel, ["x", "y", n], shared_bytes=256 if dynamic else 0),
        {"x": np.arange(64, dtype=np.float32), "y": np.zeros(64, np.float32)},
        profile=profile,
        kernels=_KERNEL.findall(source),
    )


def _told(run: EmulatorRun) -> list[tuple[int | None, str]]:
    """Lines of the kernels are the same in both; the sources' names need not be."""
    return [(finding.line, finding.message) for finding in run.findings]


@pytest.fixture
def alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> EmulatorBuild:
    """The loops with each read checked by itself; every later run of `_ALONE` is of this build."""
    return bench.build_with_each_read_alone(_ALONE, _KERNEL.findall(_ALONE), 64, monkeypatch)


@pytest.mark.parametrize("loop", LOOPS, ids=lambda each: each.name)
def test_a_loop_checked_at_once_gives_the_findings_of_each_read_checked_alone(
    bench: Bench, alone: EmulatorBuild, loop: _Loop
) -> None:
    dynamic = loop.template is _DYNAMIC
    found, expected = (
        _run(bench, source, loop.kernel, loop.n, dynamic=dynamic) for source in (_TOGETHER, _ALONE)
    )

    assert not checks_loops_at_once(alone)
    assert (found.status, _told(found)) == (expected.status, _told(expected))
    assert found.status is loop.status
    assert loop.words in "".join(finding.message for finding in found.findings)
    for name, array in expected.outputs.items():
        assert np.array_equal(found.outputs[name], array)


def test_a_loop_checked_at_once_has_the_profile_of_each_read_checked_alone(
    bench: Bench, alone: EmulatorBuild
) -> None:
    found, expected = (
        _run(bench, source, LOOPS[1].kernel, 0, profile=True) for source in (_TOGETHER, _ALONE)
    )

    assert not checks_loops_at_once(alone)
    assert found.profiles == expected.profiles


def test_the_loops_are_checked_at_once(bench: Bench) -> None:
    build = bench.build(_TOGETHER, _KERNEL.findall(_TOGETHER), 64)

    assert checks_loops_at_once(build)


_LOCAL = """extern "C" __global__ void NAME(const float* x, float* y, int n) {
  float values[16];
  for (int i = 0; i < 16; ++i) values[i] = x[i];
  for (int i = 0; i < 64; ++i) values[INDEX] += x[i];
  float sum = 0.0f;
  for (int i = 0; i < 16; ++i) sum += values[i];
  y[threadIdx.x] = sum;
}
"""


def _local(*indices: str) -> str:
    return "".join(
        _LOCAL.replace("NAME", f"local_{number}").replace("INDEX", index)
        for number, index in enumerate(indices)
    )


def test_a_local_array_is_not_checked_where_the_index_cannot_leave_it(bench: Bench) -> None:
    source = _local("i & 15", "i / 4", "n % 16u", "i % 16")

    build = bench.build(source, _KERNEL.findall(source), 64)

    assert b"hip_emulator_private_access" not in build.library
    assert _run(bench, source, "local_1", 0).status is Status.PASSED


_LEAVING = ("i & 31", "i / 3", "n % 17u", "i - 1")


@pytest.mark.parametrize("number", range(len(_LEAVING)), ids=_LEAVING)
def test_a_local_array_is_checked_where_the_index_may_leave_it(bench: Bench, number: int) -> None:
    run = _run(bench, _local(*_LEAVING), f"local_{number}", 16)

    assert run.status is Status.OUT_OF_BOUNDS


_FUNCTION = """define void @k(i32 %n, ptr %p) {{
  %a = alloca [16 x float], align 4
  br label %1

1:
  %i = phi i32 [ {start}, %0 ], [ %next, %1 ]
  %masked = and i32 %n, 7
  %four = shl nuw nsw i32 %i, 2
  %sum = add nuw nsw i32 %four, %masked
  %wide = zext nneg i32 %sum to i64
  %at = getelementptr inbounds float, ptr %a, i64 %wide
  %next = add nuw nsw i32 %i, {step}
  %done = icmp {comparison}
  br i1 %done, {targets}

2:
  ret void
}}"""
_LEAVES, _STAYS = "label %2, label %1", "label %1, label %2"


def _ranges(comparison: str, targets: str, start: str = "0", step: str = "1") -> ValueRanges:
    text = _FUNCTION.format(comparison=comparison, targets=targets, start=start, step=step)
    return ValueRanges(parse_module(text).functions[0], TypeLayout(()))


@pytest.mark.parametrize(
    ("comparison", "targets", "start", "step", "last"),
    [
        ("eq i32 %next, 16", _LEAVES, "0", "1", 15),
        ("ne i32 %next, 16", _STAYS, "0", "4", 12),
        ("slt i32 %next, 16", _STAYS, "0", "5", 15),
        ("samesign ult i32 %i, 16", _STAYS, "0", "1", 16),
        ("ult i32 %i, 15", _STAYS, "3", "4", 15),
        ("slt i32 %next, 3", _STAYS, "7", "1", 7),
    ],
)
def test_a_counter_goes_from_its_start_to_its_last_value(
    comparison: str, targets: str, start: str, step: str, last: int
) -> None:
    ranges = _ranges(comparison, targets, start, step)

    assert ranges.of("%i") == Range(int(start), last)
    assert ranges.of("%wide") == Range(4 * int(start), 4 * last + 7)
    assert ranges.offset("%at", "%a") == Range(16 * int(start), 16 * last + 28)
    assert ranges.extent("%a") == 64


@pytest.mark.parametrize(
    ("comparison", "targets", "start", "step"),
    [
        ("eq i32 %next, 16", _STAYS, "0", "1"),
        ("ne i32 %next, 16", _LEAVES, "0", "1"),
        ("slt i32 %next, 16", _LEAVES, "0", "1"),
        ("eq i32 %next, 16", _LEAVES, "0", "3"),
        ("eq i32 %next, 16", _LEAVES, "20", "1"),
        ("eq i32 %next, %n", _LEAVES, "0", "1"),
        ("eq i32 %masked, 3", _LEAVES, "0", "1"),
        ("eq i32 %next, 16", _LEAVES, "%n", "1"),
        ("eq i32 %next, 16", _LEAVES, "-4", "1"),
        ("slt i32 %next, 2147483647", _STAYS, "0", "16"),
        ("sgt i32 %next, 16", _STAYS, "0", "1"),
    ],
)
def test_a_loop_that_may_go_on_otherwise_gives_its_counter_no_range(
    comparison: str, targets: str, start: str, step: str
) -> None:
    ranges = _ranges(comparison, targets, start, step)

    assert ranges.of("%i") is None
    assert ranges.offset("%at", "%a") is None
    assert ranges.of("%masked") == Range(0, 7)
