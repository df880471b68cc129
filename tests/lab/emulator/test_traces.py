"""Traces, bank conflicts and contention for access patterns whose figures are known."""

from math import gcd

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import BlockSample, LaunchProfile
from rocm_pipeline.lab.emulator.trace import BufferLines, LaunchTrace, read_traces
from rocm_pipeline.targets.launch_plan import BoundLaunch, BoundPlan
from tests.lab.emulator.bench import Bench, Start

STRIDES = range(1, 34)


def _trace(bench: Bench, body: str, grid: int, blocks: int) -> tuple[LaunchTrace, LaunchProfile]:
    launch = BoundLaunch("k", (grid, 1, 1), (128, 1, 1), 0, ("x", "y"))
    run = bench.emulator.run(
        bench.build(body, ["k"], 64),
        BoundPlan((launch,), ()),
        {name: np.zeros(1 << 14, np.float32) for name in ("x", "y")},
        {},
        outputs=(),
        samples=[BlockSample(0, tuple(range(blocks)))],
        profile=True,
        trace=True,
    )
    assert run.findings == ()
    return run.traces[0], run.profiles[0]


def test_a_trace_holds_each_wave_in_the_order_of_the_program(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int n = 0; n < 2; ++n) y[i + 1024 * n] = x[i + 2048 * n];
}"""
    trace, profile = _trace(bench, source, grid=8, blocks=3)

    assert profile.blocks_run == len(trace.blocks) == 3
    base = {buffer.name: buffer.first for buffer in trace.buffers}
    for number, block in enumerate(trace.blocks):
        assert len(block) == 2
        for index, wave in enumerate(block):
            first = number * 8 + index * 4
            assert [request.lines[0] for request in wave] == [
                base["x"] + first,
                base["y"] + first,
                base["x"] + first + 128,
                base["y"] + first + 64,
            ]
            assert {(r.lanes, r.bytes, len(r.lines)) for r in wave} == {(64, 256, 4)}
    assert trace.buffer_of(base["y"] + 3) == "y"


@pytest.mark.parametrize(
    "words",
    [
        [0, 1, 0, 0, 1, 7],
        [0xFFFFFFFF, 0, 0, 0, 0, 0, 9, 0, 0, 1, 7],
        [0xFFFFFFFF, 0, 0, 0, 0, 0, 1, 0, 0, 3, 7],
        [0xFFFFFFFF, 0, 0, 0, 0, 0, 1, 0],
        [0xFFFFFFFF, 1, 0, 0, 0],
        [],
    ],
)
def test_a_trace_that_cannot_be_is_refused(words: list[int]) -> None:
    with pytest.raises(ValueError, match="trace"):
        read_traces(np.array(words, np.uint32).tobytes(), 1, 4, [BufferLines("x", 0, 9)])


@pytest.mark.parametrize(("kind", "width"), [("float", 1), ("float2", 2), ("float4", 4)])
def test_bank_conflicts_follow_the_stride(bench: Bench, kind: str, width: int) -> None:
    """Lanes read `width` words each, `stride` such units apart, 32 / width lanes at a time."""
    value = "t" if width == 1 else " + ".join(f"t.{part}" for part in "xyzw"[:width])
    reads = "\n".join(
        f"  {{ {kind} t = s[threadIdx.x * {n} % 2048]; sum += {value}; }}" for n in STRIDES
    )
    source = f"""extern "C" __global__ void k(const float* x, float* y) {{
  extern __shared__ {kind} s[];
  for (int i = threadIdx.x; i < 2048; i += 32) s[i] = {kind}{{}};
  __syncthreads();
  float sum = 0;
{reads}
  y[threadIdx.x] = sum;
}}"""
    start = Start("k", ("x", "y"), block=(32, 1, 1), shared_bytes=2048 * 4 * width)
    buffers = {name: np.zeros(64, np.float32) for name in ("x", "y")}
    run = bench.run(source, start, buffers, wave=32, profile=True)
    assert run.findings == ()
    lines = {line: n for n, line in zip(STRIDES, _lines_of(source, "threadIdx.x *"), strict=True)}
    found = {
        lines[each.site.line]: (each.bank_cycles, each.ideal_cycles)
        for each in run.profiles[0].select("lds")
        if each.site.line in lines
    }
    # A group of 32 / width lanes; those whose strides meet modulo the banks take turns.
    ways = {n: gcd(n, 32 // width) for n in STRIDES}
    assert {n: passes for n, (passes, _) in found.items()} == {n: width * ways[n] for n in STRIDES}
    assert {ideal for _, ideal in found.values()} == {width}


def _lines_of(source: str, text: str) -> list[int]:
    """Line numbers in the file that the bench compiles, whose first line is its include."""
    return [n for n, line in enumerate(source.splitlines(), start=2) if text in line]


@pytest.mark.parametrize(("cells", "most"), [(1, 64), (2, 32), (64, 1)])
def test_atomics_at_one_address_take_turns(bench: Bench, cells: int, most: int) -> None:
    source = f"""extern "C" __global__ void k(const float* x, float* y) {{
  atomicAdd(&y[threadIdx.x % {cells}], 1.0f);
}}"""
    buffers = {name: np.zeros(64, np.float32) for name in ("x", "y")}
    run = bench.run(source, Start("k", ("x", "y"), (3, 1, 1)), buffers, profile=True)

    assert sum(each.serial for each in run.profiles[0].traffic) == 3 * most


def test_half_of_a_diverged_wave_asks_with_half_its_lanes(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float* x, float* y) {
  if (threadIdx.x % 2) y[threadIdx.x] = x[threadIdx.x];
}"""
    buffers = {name: np.zeros(64, np.float32) for name in ("x", "y")}
    run = bench.run(source, Start("k", ("x", "y")), buffers, profile=True)

    assert [(t.requests, t.lanes, t.lines_64) for t in run.profiles[0].traffic] == [(1, 32, 4)] * 2
