"""The profiler's figures for access patterns whose figures are known."""

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import LaunchProfile, SiteKind
from tests.lab.emulator.bench import Bench, Start


def _profile(
    bench: Bench, source: str, start: Start, wave: int = 64, sample_blocks: int | None = None
) -> LaunchProfile:
    buffers = {name: np.zeros(1 << 16, np.float32) for name in ("x", "y")}
    run = bench.run(source, start, buffers, wave=wave, profile=True, sample_blocks=sample_blocks)
    assert run.findings == ()
    (profile,) = run.profiles
    return profile


@pytest.mark.parametrize(("wave", "lines_64", "lines_128"), [(32, 2, 1), (64, 4, 2)])
def test_a_coalesced_copy_asks_for_the_fewest_lines(
    bench: Bench, wave: int, lines_64: int, lines_128: int
) -> None:
    source = """extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = x[i];
}"""
    profile = _profile(bench, source, Start("k", ("x", "y"), (8, 1, 1), (256, 1, 1)), wave)

    waves = 8 * 256 // wave
    load, store = profile.traffic
    assert (load.site.kind, store.site.kind) == (SiteKind.LOAD, SiteKind.STORE)
    for each in (load, store):
        assert (each.requests, each.lanes, each.bytes) == (waves, 2048, 8192)
        assert each.lines_64 == waves * lines_64
        assert each.lines_128 == waves * lines_128
    assert (profile.blocks, profile.blocks_run, profile.waves_run) == (8, 8, waves)
    assert profile.read.per_block_64 == profile.read.total_64 == 8192 // 64
    assert profile.written.total_128 == 8192 // 128
    assert profile.global_loads == profile.global_stores == waves
    assert profile.global_bytes == 2 * 8192


@pytest.mark.parametrize("stride", [2, 4, 16, 32])
def test_a_strided_load_touches_as_many_lines_as_its_stride_says(bench: Bench, stride: int) -> None:
    source = f"""extern "C" __global__ void k(const float* x, float* y) {{
  y[threadIdx.x] = x[threadIdx.x * {stride}];
}}"""
    profile = _profile(bench, source, Start("k", ("x", "y")))

    (load,) = profile.select("global", SiteKind.LOAD)
    assert load.lines_64 == min(64, 4 * stride)
    assert load.lines_128 == min(64, 2 * stride)


def test_a_vector_load_is_one_request(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float4* x, float4* y) {
  y[threadIdx.x] = x[threadIdx.x];
}"""
    profile = _profile(bench, source, Start("k", ("x", "y")))

    assert [(t.requests, t.bytes, t.lines_64) for t in profile.traffic] == [(1, 1024, 16)] * 2


def test_lines_that_blocks_share_count_once_for_the_launch(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float* x, float* y) {
  float sum = 0;
  for (int i = 0; i < 4; ++i) sum += x[threadIdx.x];
  y[blockIdx.x * 64 + threadIdx.x] = sum + x[64 + threadIdx.x];
}"""
    profile = _profile(bench, source, Start("k", ("x", "y"), (5, 1, 1)))

    assert profile.read.per_block_64 == 5 * 8
    assert profile.read.total_64 == 8
    assert profile.written.per_block_64 == profile.written.total_64 == 5 * 4


@pytest.mark.parametrize(("columns", "ways"), [(32, 32), (33, 1), (34, 2), (36, 4)])
def test_reading_a_column_of_lds_conflicts_as_its_row_length_says(
    bench: Bench, columns: int, ways: int
) -> None:
    source = f"""extern "C" __global__ void k(const float* x, float* y) {{
  __shared__ float s[32][{columns}];
  int r = threadIdx.y, c = threadIdx.x;
  s[r][c] = x[r * 32 + c];
  __syncthreads();
  y[r * 32 + c] = s[c][r];
}}"""
    profile = _profile(bench, source, Start("k", ("x", "y"), block=(32, 32, 1)), wave=32)

    store, load = profile.select("lds")
    assert store.requests == load.requests == 32
    assert store.bank_cycles == store.ideal_cycles == 32
    assert load.bank_cycles == 32 * ways
    assert load.ideal_cycles == 32
    assert profile.lds_conflict_cycles == 32 * (ways - 1)


def test_lanes_that_read_one_word_of_lds_do_not_conflict(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float* x, float* y) {
  __shared__ float s[64];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = s[5];
}"""
    profile = _profile(bench, source, Start("k", ("x", "y")), wave=64)

    _, load = profile.select("lds")
    # 32 lanes at a time, so a wave of 64 takes two passes.
    assert (load.requests, load.bank_cycles, load.ideal_cycles) == (1, 2, 2)


def test_barriers_and_atomics_are_counted(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float* x, float* y) {
  for (int i = 0; i < 3; ++i) __syncthreads();
  atomicAdd(&y[threadIdx.x % 2], x[threadIdx.x]);
}"""
    profile = _profile(bench, source, Start("k", ("x", "y"), (4, 1, 1)))

    assert profile.barriers == 4 * 3
    assert profile.global_atomics == 4 * 64
    (atomic,) = profile.select("global", SiteKind.ATOMIC)
    assert (atomic.requests, atomic.lines_64) == (4, 4)


def test_a_sample_of_blocks_spreads_over_the_grid(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float* x, float* y) {
  y[blockIdx.x] = 1.0f + x[blockIdx.x];
}"""
    buffers = {name: np.zeros(101, np.float32) for name in ("x", "y")}
    run = bench.run(
        source,
        Start("k", ("x", "y"), (101, 1, 1)),
        buffers,
        profile=True,
        sample_blocks=5,
    )

    assert list(np.nonzero(run.outputs["y"])[0]) == [0, 25, 50, 75, 100]
    (profile,) = run.profiles
    assert (profile.blocks, profile.blocks_run) == (101, 5)
    assert profile.scale == 101 / 5


def test_each_launch_has_its_own_profile(bench: Bench) -> None:
    source = """
extern "C" __global__ void a(float* y) { y[threadIdx.x] = 1.0f; }
extern "C" __global__ void b(float* y) { y[threadIdx.x] *= 2.0f; }"""
    starts = [Start("a", ("y",)), Start("b", ("y",), (1, 1, 1), (32, 1, 1)), Start("a", ("y",))]
    run = bench.run(source, starts, {"y": np.zeros(64, np.float32)}, profile=True)

    assert [p.kernel for p in run.profiles] == ["a", "b", "a"]
    assert [p.global_loads for p in run.profiles] == [0, 1, 0]
    assert [p.operations.get("f32_mul", 0) + p.operations.get("f32_add", 0) for p in run.profiles]
    assert run.profiles[0].operations == run.profiles[2].operations


def test_operations_are_counted_by_type_and_kind(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float* x, float* y) {
  int i = threadIdx.x;
  float v = x[i];
  float sum = 0;
  for (int n = 0; n < 10; ++n) sum += v * x[i + n];  // 10 fused
  sum = fmaf(sum, v, 1.0f);                          // 1 fused
  if (i < 16) sum = expf(sum) / sqrtf(v + 2.0f);     // 16 work-items
  double wide = (double)sum * 3.1;                   // 1 f64
  __half h = __half(v) * __half(2.0f);               // 1 f16
  y[i] = tanhf(sum) - fmaxf(v, 0.5f) + (float)wide + __half2float(h);
}"""
    operations = _profile(bench, source, Start("k", ("x", "y"))).operations

    assert operations["f32_fma"] == 64 * 11
    assert operations["f32_exp"] == 16
    assert operations["f32_div"] == 16
    assert operations["f32_sqrt"] == 16
    assert operations["f32_tanh"] == 64
    assert operations["f32_min"] == 64
    assert operations["f64_mul"] == 64
    assert operations["f16_mul"] == 64
    # v + 2, and three sums in the last line
    assert operations["f32_add"] == 16 + 3 * 64


def test_vector_arithmetic_counts_once_an_element(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float4* x, float4* y) {
  float4 v = x[threadIdx.x];
  y[threadIdx.x] = v * v + v;
}"""
    operations = _profile(bench, source, Start("k", ("x", "y"))).operations

    assert operations["f32_fma"] == 64 * 4
    assert "f32_mul" not in operations
