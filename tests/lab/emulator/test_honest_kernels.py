"""Kernels that are right, and look wrong to a checker that is not exact."""

import numpy as np
import pytest

from rocm_pipeline.lab.evidence import Status
from tests.lab.emulator.bench import Bench, Start

BOTH_WAVES_AND_ORDERS = [(32, False), (32, True), (64, False), (64, True)]


def test_neighbouring_halves_may_be_written_by_different_work_items(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const __half* x, __half* y) {
  __shared__ __half s[64];
  int i = threadIdx.x;
  s[i] = x[i];
  __syncthreads();
  y[i] = s[i ^ 1] + __half(1.0f);
}"""
    x = np.arange(64, dtype=np.float16)
    run = bench.run(source, Start("k", ("x", "y")), {"x": x, "y": np.zeros_like(x)})

    assert run.findings == ()
    np.testing.assert_array_equal(run.outputs["y"], x[np.arange(64) ^ 1] + 1)


def test_bytes_of_a_wider_buffer_may_be_written_by_different_work_items(bench: Bench) -> None:
    source = """extern "C" __global__ void k(unsigned char* y) {
  __shared__ unsigned char s[64];
  s[threadIdx.x] = threadIdx.x;
  __syncthreads();
  y[threadIdx.x] = s[63 - threadIdx.x];
}"""
    run = bench.run(source, Start("k", ("y",)), {"y": np.zeros(16, np.int32)})

    assert run.findings == ()
    np.testing.assert_array_equal(run.outputs["y"].view(np.uint8), np.arange(64)[::-1])


def test_a_race_between_bytes_of_one_word_is_still_found(bench: Bench) -> None:
    source = """extern "C" __global__ void k(unsigned char* y) {
  y[threadIdx.x / 2] = threadIdx.x;
}"""
    run = bench.run(source, Start("k", ("y",)), {"y": np.zeros(16, np.int32)})

    assert run.status is Status.RACE


@pytest.mark.parametrize(("wave", "reverse"), BOTH_WAVES_AND_ORDERS)
def test_a_barrier_in_a_loop_is_one_barrier(bench: Bench, wave: int, reverse: bool) -> None:
    source = """extern "C" __global__ void k(const float* x, float* y) {
  __shared__ float s[256];
  int i = threadIdx.x;
  s[i] = x[i];
  __syncthreads();
  for (int step = 128; step > 0; step /= 2) {
    if (i < step) s[i] += s[i + step];
    __syncthreads();
  }
  if (i == 0) y[0] = s[0];
}"""
    x = np.arange(256, dtype=np.float32)
    run = bench.run(
        source,
        Start("k", ("x", "y"), block=(256, 1, 1)),
        {"x": x, "y": np.zeros(1, np.float32)},
        wave=wave,
        reverse=reverse,
    )

    assert run.findings == ()
    assert run.outputs["y"][0] == x.sum()


def test_atomics_on_lds_and_on_buffers_are_no_races(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const int* x, int* histogram, float* sum) {
  __shared__ int local[8];
  int i = threadIdx.x;
  if (i < 8) local[i] = 0;
  __syncthreads();
  atomicAdd(&local[x[i] % 8], 1);
  __syncthreads();
  if (i < 8) atomicAdd(&histogram[i], local[i]);
  atomicAdd(sum, 0.5f);
}"""
    x = np.arange(64, dtype=np.int32)
    run = bench.run(
        source,
        Start("k", ("x", "h", "s"), grid=(3, 1, 1)),
        {"x": x, "h": np.zeros(8, np.int32), "s": np.zeros(1, np.float32)},
    )

    assert run.findings == ()
    np.testing.assert_array_equal(run.outputs["h"], np.full(8, 24))
    assert run.outputs["s"][0] == 96.0


def test_work_items_may_return_early_when_no_barrier_follows(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ float s[64];
  s[threadIdx.x] = threadIdx.x < n ? x[threadIdx.x] : 0.0f;
  __syncthreads();
  if (threadIdx.x >= n) return;
  y[threadIdx.x] = s[n - 1 - threadIdx.x];
}"""
    x = np.arange(50, dtype=np.float32)
    run = bench.run(source, Start("k", ("x", "y", 50)), {"x": x, "y": np.zeros_like(x)})

    assert run.findings == ()
    np.testing.assert_array_equal(run.outputs["y"], x[::-1])


def test_writing_the_same_value_twice_is_no_race(bench: Bench) -> None:
    source = """extern "C" __global__ void k(float* y) { y[0] = 7.0f; }"""
    run = bench.run(source, Start("k", ("y",), grid=(4, 1, 1)), {"y": np.zeros(1, np.float32)})

    assert run.findings == ()


@pytest.mark.parametrize("fence", ["__threadfence();", ""])
def test_the_last_block_may_read_what_the_others_published(bench: Bench, fence: str) -> None:
    source = f"""extern "C" __global__ void k(const float* x, float* part, int* done, float* y) {{
  __shared__ bool last;
  part[blockIdx.x] = x[blockIdx.x];
  {fence}
  if (threadIdx.x == 0) last = atomicAdd(done, 1) == gridDim.x - 1;
  __syncthreads();
  if (last && threadIdx.x == 0) {{
    float sum = 0;
    for (int b = 0; b < gridDim.x; ++b) sum += part[b];
    y[0] = sum;
  }}
}}"""
    run = bench.run(
        source,
        Start("k", ("x", "part", "done", "y"), grid=(5, 1, 1)),
        {
            "x": np.arange(5, dtype=np.float32),
            "part": np.zeros(5, np.float32),
            "done": np.zeros(1, np.int32),
            "y": np.zeros(1, np.float32),
        },
    )

    if fence:
        assert run.findings == ()
        assert run.outputs["y"][0] == 10.0
    else:
        assert run.status is Status.RACE


@pytest.mark.parametrize("barrier", ["__syncwarp();", ""])
def test_a_wave_barrier_orders_the_lanes_of_a_wave(bench: Bench, barrier: str) -> None:
    source = f"""extern "C" __global__ void k(const float* x, float* y) {{
  __shared__ float s[128];
  int i = threadIdx.x;
  s[i] = x[i];
  {barrier}
  y[i] = s[i ^ 1];
}}"""
    x = np.arange(128, dtype=np.float32)
    run = bench.run(
        source, Start("k", ("x", "y"), block=(128, 1, 1)), {"x": x, "y": np.zeros_like(x)}, wave=32
    )

    assert run.status is (Status.PASSED if barrier else Status.RACE)


def test_a_wave_barrier_does_not_order_waves(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float* x, float* y) {
  __shared__ float s[128];
  int i = threadIdx.x;
  s[i] = x[i];
  __syncwarp();
  y[i] = s[127 - i];
}"""
    x = np.arange(128, dtype=np.float32)
    run = bench.run(
        source, Start("k", ("x", "y"), block=(128, 1, 1)), {"x": x, "y": np.zeros_like(x)}
    )

    assert run.status is Status.RACE


def test_a_second_launch_reads_what_the_first_wrote(bench: Bench) -> None:
    source = """
extern "C" __global__ void first(const float* x, float* w) {
  w[blockIdx.x * 64 + threadIdx.x] = 2 * x[blockIdx.x * 64 + threadIdx.x];
}
extern "C" __global__ void second(const float* w, float* y) {
  y[blockIdx.x * 64 + threadIdx.x] = w[127 - (blockIdx.x * 64 + threadIdx.x)];
}"""
    x = np.arange(128, dtype=np.float32)
    starts = [Start("first", ("x", "w"), (2, 1, 1)), Start("second", ("w", "y"), (2, 1, 1))]
    buffers = {"x": x, "w": np.full_like(x, np.nan), "y": np.full_like(x, np.nan)}
    run = bench.run(source, starts, buffers, uninitialised=["w", "y"])

    assert run.findings == ()
    np.testing.assert_array_equal(run.outputs["y"], 2 * x[::-1])


def test_tables_in_constant_memory_may_be_read(bench: Bench) -> None:
    source = """__constant__ float table[4] = {1, 2, 4, 8};
extern "C" __global__ void k(float* y) { y[threadIdx.x] = table[threadIdx.x % 4]; }"""
    run = bench.run(source, Start("k", ("y",)), {"y": np.zeros(64, np.float32)})

    assert run.findings == ()
    np.testing.assert_array_equal(run.outputs["y"], np.tile([1, 2, 4, 8], 16))


def test_a_kernel_that_never_ends_times_out(bench: Bench) -> None:
    source = """extern "C" __global__ void k(int* y) {
  if (blockIdx.x == 0) while (atomicAdd(y, 0) == 0) {}
  else atomicAdd(y, 1);
}"""
    run = bench.run(
        source, Start("k", ("y",), (2, 1, 1)), {"y": np.zeros(1, np.int32)}, cpu_seconds=1
    )

    assert run.status is Status.TIMEOUT
    assert "within 1 seconds" in run.findings[0].message
