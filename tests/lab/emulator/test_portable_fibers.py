"""The switch for processors that we have none for: work-items go on by the C library's contexts."""

import platform
from pathlib import Path

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import Emulator
from rocm_pipeline.lab.sandbox import Sandbox
from tests.lab.emulator.bench import Bench, Start

REVERSED = """extern "C" __global__ void k(const float* x, float* y) {
  __shared__ float tile[256];
  int t = threadIdx.x, n = blockDim.x;
  double local[64];
  for (int i = 0; i < 64; ++i) local[i] = x[blockIdx.x * n + t] + i;
  for (int turn = 0; turn < 5; ++turn) {
    tile[t] = (float)local[turn];
    __syncthreads();
    local[turn + 1] = tile[n - 1 - t] + __shfl_xor(tile[t], 1);
    __syncthreads();
  }
  y[blockIdx.x * n + t] = (float)local[5];
}"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these contexts")
def test_barriers_and_shuffles_through_the_c_library_give_the_same(
    sandbox: Sandbox, bench: Bench, builds: Path
) -> None:
    portable = Bench(Emulator(sandbox, builds / "emulator", portable_fibers=True))
    x = np.random.default_rng(1).standard_normal(3 * 256).astype(np.float32)
    buffers = {"x": x, "y": np.zeros_like(x)}
    start = Start("k", ("x", "y"), grid=(3, 1, 1), block=(256, 1, 1))
    by_hand, by_libc = (
        each.run(REVERSED, start, buffers, uninitialised=["y"]) for each in (bench, portable)
    )

    assert portable.emulator.identity != bench.emulator.identity
    assert by_libc.findings == by_hand.findings == ()
    np.testing.assert_array_equal(by_libc.outputs["y"], by_hand.outputs["y"])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these contexts")
def test_findings_and_stack_overflows_are_told_by_portable_fibers(
    sandbox: Sandbox, builds: Path
) -> None:
    portable = Bench(Emulator(sandbox, builds / "emulator", portable_fibers=True))
    source = """extern "C" __global__ void k(int* y) {
  if (threadIdx.x == 3) return;
  __syncthreads();
  y[threadIdx.x] = 1;
}"""
    run = portable.run(source, Start("k", ("y",)), {"y": np.zeros(64, np.int32)})
    assert "work-item (3, 0, 0) of its block has returned" in run.findings[0].message

    source = """__device__ __noinline__ int deep(int n) {
  volatile int room[64]; room[n % 64] = n; return n ? deep(n - 1) + room[n % 64] : 0;
}
extern "C" __global__ void k(int* y) { y[threadIdx.x] = deep(y[threadIdx.x]); }"""
    run = portable.run(source, Start("k", ("y",)), {"y": np.full(64, 100_000, np.int32)})
    assert "private memory or recursion beyond" in run.findings[0].message
