"""Barriers of the whole grid: every block is alive until the last one ends."""

import numpy as np
import pytest

from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.hip_names import ARCHITECTURES
from rocm_pipeline.lab.toolchain import Toolchain
from tests.lab.emulator.bench import Bench, Start

# Each block keeps in LDS and registers what the others read of it a barrier later.
TURNS = """#include <hip/hip_cooperative_groups.h>
extern "C" __global__ void k(const float* x, float* y, float* parts) {
  __shared__ float own[64];
  extern __shared__ float turned[];
  cooperative_groups::grid_group grid = cooperative_groups::this_grid();
  int t = threadIdx.x, b = blockIdx.x + gridDim.x * blockIdx.y, blocks = grid.num_blocks();
  own[t] = x[grid.thread_rank()];
  float kept = own[t] * 2.0f;
  for (int turn = 1; turn <= 3; ++turn) {
    __syncthreads();
    turned[t] = own[63 - t] + turn;
    if (t == 0) parts[b] = own[0] * turn;
    BARRIER
    float sum = 0.0f;
    for (int i = 0; i < blocks; ++i) sum += parts[i];
    own[t] += sum;
    BARRIER
  }
  y[b * 64 + t] = own[t] + kept + turned[t];
}"""
WHOLE = TURNS.replace("BARRIER", "grid.sync();")


def _expected(x: np.ndarray, blocks: int) -> np.ndarray:
    own = x.reshape(blocks, 64).copy()
    kept = 2 * own
    turned = own
    for turn in (1, 2, 3):
        turned = own[:, ::-1] + np.float32(turn)
        own = own + np.float32((own[:, 0] * turn).sum())
    return own + kept + turned


@pytest.mark.parametrize(("wave", "reverse"), [(32, False), (64, True)])
def test_blocks_wait_for_each_other_and_keep_what_is_theirs(
    bench: Bench, wave: int, reverse: bool
) -> None:
    x = np.random.default_rng(3).integers(-8, 8, 6 * 64).astype(np.float32)
    buffers = {"x": x, "y": np.zeros(6 * 64, np.float32), "parts": np.zeros(6, np.float32)}
    start = Start("k", ("x", "y", "parts"), grid=(3, 2, 1), shared_bytes=256)
    run = bench.run(WHOLE, start, buffers, wave=wave, reverse=reverse, uninitialised=["y", "parts"])

    assert run.findings == ()
    np.testing.assert_array_equal(run.outputs["y"].reshape(6, 64), _expected(x, 6))


def test_a_launch_that_waits_is_run_whole_where_a_sample_was_asked_for(bench: Bench) -> None:
    x = np.ones(6 * 64, np.float32)
    buffers = {"x": x, "y": np.zeros(6 * 64, np.float32), "parts": np.zeros(6, np.float32)}
    start = Start("k", ("x", "y", "parts"), grid=(6, 1, 1), shared_bytes=256)
    run = bench.run(WHOLE, start, buffers, sample_blocks=2, profile=True)

    np.testing.assert_array_equal(run.outputs["y"].reshape(6, 64), _expected(x, 6))
    assert run.profiles[0].blocks_run == 6


def test_without_the_barrier_the_blocks_race(bench: Bench) -> None:
    buffers = {
        "x": np.ones(6 * 64, np.float32),
        "y": np.zeros(6 * 64, np.float32),
        "parts": np.zeros(6, np.float32),
    }
    start = Start("k", ("x", "y", "parts"), grid=(6, 1, 1), shared_bytes=256)
    run = bench.run(TURNS.replace("BARRIER", "__syncthreads();"), start, buffers)

    assert run.status is Status.RACE
    assert "race between blocks" in run.findings[0].message


GUARDED = """#include <hip/hip_cooperative_groups.h>
extern "C" __global__ void k(int* y) {
  if (CONDITION) return;
  cooperative_groups::this_grid().sync();
  y[blockIdx.x * blockDim.x + threadIdx.x] = 1;
}"""


@pytest.mark.parametrize("condition", ["blockIdx.x == 0", "blockIdx.x == 2", "blockIdx.x == 3"])
def test_a_block_that_does_not_come_is_found(bench: Bench, condition: str) -> None:
    start = Start("k", ("y",), grid=(4, 1, 1))
    source = GUARDED.replace("CONDITION", condition)
    run = bench.run(source, start, {"y": np.zeros(256, np.int32)})

    assert run.status is Status.RACE
    assert "every block must reach grid.sync()" in run.findings[0].message
    assert run.findings[0].line == 5  # the header's line of the bench is the first
    assert run.findings[0].block != (int(condition[-1]), 0, 0)


def test_a_work_item_that_does_not_come_is_found(bench: Bench) -> None:
    source = GUARDED.replace("CONDITION", "threadIdx.x == 5")
    run = bench.run(source, Start("k", ("y",), grid=(2, 1, 1)), {"y": np.zeros(256, np.int32)})

    assert run.status is Status.RACE
    assert "work-item (5, 0, 0) of its block has returned" in run.findings[0].message


@pytest.mark.parametrize(("blocks", "threads"), [(33, 64), (17, 1024)])
def test_a_grid_that_need_not_be_on_the_gpu_at_once_is_unsupported(
    bench: Bench, blocks: int, threads: int
) -> None:
    start = Start("k", ("y",), grid=(blocks, 1, 1), block=(threads, 1, 1))
    y = np.zeros(blocks * threads, np.int32)
    run = bench.run(GUARDED.replace("CONDITION", "false"), start, {"y": y})

    assert run.status is Status.UNSUPPORTED
    assert run.findings[0].line == 5
    assert "more than 32 blocks or 16384 work-items" in run.findings[0].message


def test_the_largest_grid_runs(bench: Bench) -> None:
    start = Start("k", ("y",), grid=(32, 1, 1), block=(512, 1, 1))
    y = np.zeros(32 * 512, np.int32)
    run = bench.run(GUARDED.replace("CONDITION", "false"), start, {"y": y})

    assert run.findings == ()
    assert run.outputs["y"].all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_barriers_of_the_grid_compile_for_every_architecture(
    toolchain: Toolchain, architecture: str, request: pytest.FixtureRequest
) -> None:
    if architecture != "gfx90a" and not request.config.getoption("--long"):
        pytest.skip("in the long run")
    build = toolchain.compile("#include <hip/hip_runtime.h>\n" + WHOLE, architecture)

    assert build.status is Status.PASSED, build.message
