"""Private memory ends where it ends: a stack that is too small is told, whichever launch it is."""

import numpy as np

from tests.lab.emulator.bench import Bench, Start

DEEP = """__device__ __noinline__ int deep(int n) {
  volatile int room[64];
  room[n % 64] = n;
  return n ? deep(n - 1) + room[n % 64] : 0;
}
extern "C" __global__ void k(int* y, int depth) {
  int last = blockDim.x - 1;
  y[threadIdx.x] = deep(threadIdx.x == last ? depth : 1);
}"""
MORE_THAN_ONE_STACK, LESS_THAN_ONE = 600, 200
"""Calls of some 300 bytes: the neighbour's stack would take what the first cannot."""


def test_the_last_work_item_of_a_later_and_larger_block_has_its_own_end_of_memory(
    bench: Bench,
) -> None:
    small = Start("k", ("y", LESS_THAN_ONE), block=(32, 1, 1))
    large = Start("k", ("y", MORE_THAN_ONE_STACK), block=(256, 1, 1))
    run = bench.run(DEEP, [small, large], {"y": np.zeros(256, np.int32)})

    assert "private memory or recursion beyond" in run.findings[0].message
    assert run.findings[0].thread == (255, 0, 0)


def test_the_same_calls_within_its_memory_are_no_finding(bench: Bench) -> None:
    blocks = [(32, 1, 1), (256, 1, 1), (64, 1, 1), (1024, 1, 1)]
    starts = [Start("k", ("y", LESS_THAN_ONE), block=block) for block in blocks]
    run = bench.run(DEEP, starts, {"y": np.zeros(1024, np.int32)})

    assert run.findings == ()
