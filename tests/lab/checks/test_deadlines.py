"""A kernel that never ends says where each of its work-items is."""

import os
import re
import sys
from subprocess import Popen

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import EmulatorRun
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.targets.dtypes import Array
from tests.lab.emulator.bench import Bench, Start
from tests.scale import only_long

_WAVES = [64, pytest.param(32, marks=only_long)]

ENDLESS = """extern "C" __global__ void k(const float* x, float* y, int step) {
  float s = x[0];
  if (threadIdx.x == 37)
    for (int i = 0; i != 5; i += step)
      s = s * 0.5f + i;  // LOOP
  __syncthreads();  // BARRIER
  y[threadIdx.x] = s;
}"""

SPIN = """extern "C" __global__ void k(const float* x, float* y, int awaited) {
  int* flag = (int*)y;
  if ((int)blockIdx.x != awaited) {
    while (atomicAdd(flag, 0) == 0) {}  // LOOP
  } else {
    atomicExch(flag, 1);
  }
}"""


@pytest.mark.parametrize("wave", _WAVES)
def test_an_endless_loop_is_named_with_those_who_wait_for_it(bench: Bench, wave: int) -> None:
    run = _run(bench, ENDLESS, 2, wave=wave)

    (finding,) = run.findings
    assert run.status is Status.TIMEOUT
    assert finding.line == _line(ENDLESS, "LOOP")
    assert (finding.kernel, finding.thread) == ("k", (37, 0, 0))
    assert "did not finish within 0.5 seconds" in finding.message
    assert f"is in the loop on line {_line(ENDLESS, 'LOOP')}" in finding.message
    expected = f"37 work-items wait at the barrier on line {_line(ENDLESS, 'BARRIER')}"
    assert expected in finding.message


def test_the_same_loop_that_ends_is_not_flagged(bench: Bench) -> None:
    run = _run(bench, ENDLESS, 1)
    assert (run.status, run.findings) == (Status.PASSED, ())


def test_a_block_that_spins_for_a_later_one_is_named(bench: Bench) -> None:
    run = _run(bench, SPIN, 1, blocks=2)

    (finding,) = run.findings
    assert run.status is Status.TIMEOUT
    assert finding.line == _line(SPIN, "LOOP")
    assert finding.block == (0, 0, 0)
    assert "blocks run in any order" in finding.message


def test_a_spin_that_ends_is_no_timeout(bench: Bench) -> None:
    assert _run(bench, SPIN, 0, blocks=2).status is Status.PASSED


# Every work-item ends, and does much: as many honest kernels do at sizes too large for a CPU.
HEAVY = """extern "C" __global__ void k(const float* x, float* y, int turns) {
  float s = 0;
  for (int i = 0; i < turns; ++i) s = s * 0.5f + x[i % 64];  // LOOP
  if (blockIdx.x == 0) y[threadIdx.x] = s;
}"""


def test_a_run_that_advances_is_the_emulator_s_limit_and_no_fault_of_the_kernel(
    bench: Bench,
) -> None:
    start = Start("k", ("x", "y", 20_000), grid=(4000, 1, 1))
    run = bench.run(HEAVY, start, _buffers(), cpu_seconds=0.5)

    (finding,) = run.findings
    assert run.status is finding.status is Status.INCONCLUSIVE
    assert "do too much at this size for the emulator" in finding.message
    assert finding.line == _line(HEAVY, "LOOP")
    ended = re.search(r"(\d+) of the launch's 256000 work-items have ended", finding.message)
    assert ended is not None
    assert 64 < int(ended[1]) < 256_000


@only_long
def test_other_processes_do_not_bring_the_deadline_nearer(bench: Bench) -> None:
    # about two seconds of work; beside so many others it takes several times as long
    start = Start("k", ("x", "y", 100_000), grid=(20, 1, 1))
    spin = [sys.executable, "-c", "while True: pass"]
    others = [Popen(spin) for _ in range(6 * (os.cpu_count() or 1))]
    try:
        run = bench.run(HEAVY, start, _buffers(), cpu_seconds=5)
    finally:
        for process in others:
            process.kill()
            process.wait()
    assert (run.status, run.findings) == (Status.PASSED, ())


def _run(bench: Bench, source: str, number: int, *, blocks: int = 1, wave: int = 64) -> EmulatorRun:
    start = Start("k", ("x", "y", number), grid=(blocks, 1, 1))
    # Loops that end take no time to speak of; the others are to be given up soon.
    ends = {ENDLESS: 1, SPIN: 0}[source] == number
    return bench.run(source, start, _buffers(), wave=wave, cpu_seconds=20 if ends else 0.5)


def _buffers() -> dict[str, Array]:
    return {"x": np.ones(64, np.float32), "y": np.zeros(64, np.float32)}


def _line(source: str, mark: str) -> int:
    return 2 + next(i for i, line in enumerate(source.splitlines()) if f"// {mark}" in line)
