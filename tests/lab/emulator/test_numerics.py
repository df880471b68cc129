"""Kernels compute on the emulator what numpy computes, for both wave sizes and lane orders."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest

from rocm_pipeline.lab.emulator import EmulatorRun
from tests.lab.emulator.bench import Bench, Start

EVERYWHERE = pytest.mark.parametrize(
    ("wave", "reverse"), [(32, False), (32, True), (64, False), (64, True)]
)
Floats = npt.NDArray[np.float32]

SOFTMAX = """
template <class Op> __device__ float across(float v, Op op, float* scratch) {
  for (int o = warpSize / 2; o > 0; o >>= 1) v = op(v, __shfl_xor(v, o));
  if (threadIdx.x % warpSize == 0) scratch[threadIdx.x / warpSize] = v;
  __syncthreads();
  v = scratch[0];
  for (int w = 1; w < blockDim.x / warpSize; ++w) v = op(v, scratch[w]);
  __syncthreads();
  return v;
}
extern "C" __global__ __launch_bounds__(128)
void softmax(const float* __restrict__ x, float* __restrict__ y, int cols) {
  extern __shared__ float scratch[];
  const float* in = x + (size_t)blockIdx.x * cols;
  float top = -INFINITY, sum = 0;
  for (int i = threadIdx.x; i < cols; i += blockDim.x) top = fmaxf(top, in[i]);
  top = across(top, [](float a, float b) { return fmaxf(a, b); }, scratch);
  for (int i = threadIdx.x; i < cols; i += blockDim.x) sum += expf(in[i] - top);
  sum = across(sum, [](float a, float b) { return a + b; }, scratch);
  for (int i = threadIdx.x; i < cols; i += blockDim.x)
    y[(size_t)blockIdx.x * cols + i] = expf(in[i] - top) / sum;
}"""

GEMM = """
#define TILE 16
extern "C" __global__ void gemm(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float as[TILE][TILE], bs[TILE][TILE + 1];
  int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
  float sum = 0;
  for (int k0 = 0; k0 < k; k0 += TILE) {
    int ka = k0 + threadIdx.x, kb = k0 + threadIdx.y;
    as[threadIdx.y][threadIdx.x] = row < m && ka < k ? a[row * k + ka] : 0.0f;
    bs[threadIdx.y][threadIdx.x] = col < n && kb < k ? b[kb * n + col] : 0.0f;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < TILE; ++i) sum += as[threadIdx.y][i] * bs[i][threadIdx.x];
    __syncthreads();
  }
  if (row < m && col < n) c[row * n + col] = sum;
}"""

HALVES = """
extern "C" __global__ void halves(const __half* x, const __half2* w, __half* y, __half2* z) {
  int i = threadIdx.x;
  y[i] = __float2half(__half2float(x[i]) * 2.0f) + x[i];
  if (i < 32) z[i] = __hfma2(w[i], w[i], __float2half2_rn(0.5f));
}"""

BFLOATS = """#include <hip/hip_bf16.h>
extern "C" __global__ void bfloats(const float* x, unsigned short* y) {
  __hip_bfloat16 v = __float2bfloat16(x[threadIdx.x]);
  y[threadIdx.x] = (v * v).bits;
}"""


@EVERYWHERE
def test_softmax_with_shuffles_and_dynamic_lds(bench: Bench, wave: int, reverse: bool) -> None:
    x = np.random.default_rng(1).normal(size=(5, 203)).astype(np.float32)
    start = Start("softmax", ("x", "y", 203), (5, 1, 1), (128, 1, 1), shared_bytes=16)
    run = _passed(bench, SOFTMAX, start, {"x": x, "y": np.full_like(x, np.nan)}, wave, reverse)

    e = np.exp(x.astype(float) - x.max(1, keepdims=True))
    np.testing.assert_allclose(run.outputs["y"], e / e.sum(1, keepdims=True), rtol=2e-6, atol=1e-9)


@EVERYWHERE
def test_tiled_matrix_product(bench: Bench, wave: int, reverse: bool) -> None:
    rng = np.random.default_rng(2)
    m, n, k = 33, 47, 50
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in ((m, k), (k, n)))
    start = Start("gemm", ("a", "b", "c", m, n, k), (3, 3, 1), (16, 16, 1))
    buffers = {"a": a, "b": b, "c": np.full((m, n), np.nan, np.float32)}
    run = _passed(bench, GEMM, start, buffers, wave, reverse)

    np.testing.assert_allclose(run.outputs["c"], a.astype(float) @ b, rtol=1e-5, atol=1e-5)


@EVERYWHERE
def test_halves_round_after_each_operation(bench: Bench, wave: int, reverse: bool) -> None:
    x = np.linspace(-3, 3, 64, dtype=np.float16)
    w = np.linspace(-2, 2, 64, dtype=np.float16)
    buffers = {"x": x, "w": w, "y": np.zeros_like(x), "z": np.zeros_like(w)}
    run = _passed(bench, HALVES, Start("halves", ("x", "w", "y", "z")), buffers, wave, reverse)

    doubled = (x.astype(np.float32) * 2).astype(np.float16)
    np.testing.assert_array_equal(run.outputs["y"], doubled + x)
    exact = w.astype(float) ** 2 + 0.5
    np.testing.assert_array_equal(run.outputs["z"], exact.astype(np.float16))


@EVERYWHERE
def test_bfloat16_rounds_to_nearest_even(bench: Bench, wave: int, reverse: bool) -> None:
    x = np.random.default_rng(3).normal(size=64).astype(np.float32)
    x[:3] = [1.00390625, 1.01171875, np.inf]
    run = _passed(
        bench,
        BFLOATS,
        Start("bfloats", ("x", "y")),
        {"x": x, "y": np.zeros(64, np.int16)},
        wave,
        reverse,
    )

    rounded = _bfloat16(x)
    expected = _bfloat16(rounded * rounded).view(np.uint32) >> 16
    np.testing.assert_array_equal(run.outputs["y"].view(np.uint16), expected)


@EVERYWHERE
def test_votes_and_shuffles_know_their_width(bench: Bench, wave: int, reverse: bool) -> None:
    source = """extern "C" __global__ void k(int* y) {
  int i = threadIdx.x, row = i * 8;
  y[row] = __shfl(i, 3, 16);
  y[row + 1] = __shfl_up(i, 2, 8);
  y[row + 2] = __shfl_down(i, 5);
  y[row + 3] = __shfl_xor(i, 9);
  y[row + 4] = __popcll(__ballot(i % 3 == 0));
  y[row + 5] = __any(i == 70) * 2 + __all(i < 64);
  y[row + 6] = (int)__shfl_sync(~0ull, (double)i + 0.5, 1);
  y[row + 7] = i % 2 ? __popcll(__activemask()) : -1;
}"""
    y = np.zeros((128, 8), np.int32)
    run = _passed(bench, source, Start("k", ("y",), block=(128, 1, 1)), {"y": y}, wave, reverse)

    i = np.arange(128)
    base = i // wave * wave
    got = run.outputs["y"]
    np.testing.assert_array_equal(got[:, 0], i // 16 * 16 + 3)
    np.testing.assert_array_equal(got[:, 1], np.where(i % 8 >= 2, i - 2, i))
    np.testing.assert_array_equal(got[:, 2], np.where(i % wave + 5 < wave, i + 5, i))
    np.testing.assert_array_equal(got[:, 3], i ^ 9)
    third = (i % 3 == 0).reshape(-1, wave).sum(1)
    np.testing.assert_array_equal(got[:, 4], third[i // wave])
    in_wave_of_70 = i // wave == 70 // wave
    np.testing.assert_array_equal(got[:, 5], 2 * in_wave_of_70 + (base + wave <= 64))
    np.testing.assert_array_equal(got[:, 6], base + 1)
    np.testing.assert_array_equal(got[:, 7], np.where(i % 2, wave // 2, -1))


@EVERYWHERE
def test_diverged_lanes_meet_again_behind_the_branch(
    bench: Bench, wave: int, reverse: bool
) -> None:
    source = """extern "C" __global__ void k(int* y) {
  int i = threadIdx.x, inside = -1;
  if (i % 4 == 1) inside = __popcll(__ballot(1));
  int behind = __popcll(__ballot(1));
  for (int n = 0; n < i % 3; ++n) behind += 100 * __popcll(__ballot(1));
  y[2 * i] = inside;
  y[2 * i + 1] = behind;
}"""
    run = _passed(
        bench, source, Start("k", ("y",)), {"y": np.zeros((64, 2), np.int32)}, wave, reverse
    )

    i = np.arange(64)
    lanes = i.reshape(-1, wave)
    np.testing.assert_array_equal(run.outputs["y"][:, 0], np.where(i % 4 == 1, wave // 4, -1))
    once = (lanes % 3 >= 1).sum(1)[i // wave]
    twice = (lanes % 3 == 2).sum(1)[i // wave]
    behind = wave + 100 * once * (i % 3 >= 1) + 100 * twice * (i % 3 == 2)
    np.testing.assert_array_equal(run.outputs["y"][:, 1], behind)


@EVERYWHERE
def test_barriers_count_predicates(bench: Bench, wave: int, reverse: bool) -> None:
    source = """extern "C" __global__ void k(int* y) {
  int i = threadIdx.x;
  int count = __syncthreads_count(i % 3 == 0);
  y[i] = count * 4 + __syncthreads_or(i == 99) * 2 + __syncthreads_and(i < 99);
}"""
    run = _passed(
        bench,
        source,
        Start("k", ("y",), block=(100, 1, 1)),
        {"y": np.zeros(100, np.int32)},
        wave,
        reverse,
    )

    np.testing.assert_array_equal(run.outputs["y"], np.full(100, 34 * 4 + 2))


def test_all_atomics_do_what_their_names_say(bench: Bench) -> None:
    source = """extern "C" __global__ void k(int* i, unsigned long long* u, float* f, double* d) {
  int t = threadIdx.x;
  atomicAdd(&i[0], t); atomicSub(&i[1], 1); atomicMin(&i[2], -t); atomicMax(&i[3], t);
  atomicAnd(&i[4], ~(1 << t)); atomicOr(&i[5], 1 << t); atomicXor(&i[6], 3);
  atomicCAS(&i[7], t, t + 1); atomicInc((unsigned*)&i[8], 9); atomicDec((unsigned*)&i[9], 9);
  atomicAdd(&u[0], 1ull << 33); atomicExch(&u[1], 5ull);
  atomicAdd(f, 0.25f); atomicMin(&f[1], (float)-t); atomicAdd(d, 0.125);
}"""
    buffers = {
        "i": np.array([0, 0, 0, 0, -1, 0, 1, 0, 0, 0], np.int32),
        "u": np.zeros(2, np.int64),
        "f": np.zeros(2, np.float32),
        "d": np.zeros(1, np.float64),
    }
    run = _passed(
        bench, source, Start("k", ("i", "u", "f", "d"), block=(32, 1, 1)), buffers, 32, False
    )

    assert list(run.outputs["i"]) == [496, -32, -31, 31, 0, -1, 1, 32, 2, 8]
    assert list(run.outputs["u"]) == [32 << 33, 5]
    assert list(run.outputs["f"]) == [8.0, -31.0]
    assert run.outputs["d"][0] == 4.0


def test_vectors_have_members_arithmetic_and_layout(bench: Bench) -> None:
    source = """extern "C" __global__ void k(const float4* x, float4* y, float3* t, double4* d) {
  int i = threadIdx.x;
  float4 v = x[i];
  float* parts = &v.x;
  parts[1] += 10.0f;
  v.w = v[0];
  y[i] = 2.0f * v + make_float4(1, 2, 3, 4) / v.z;
  float3 three = make_float3(i, i + 1, i + 2);
  three += three;
  t[i] = -three;
  double4 wide = d[i];
  wide.y = v.x;
  d[i] = wide;
  static_assert(sizeof(float3) == 12 && alignof(float4) == 16 && sizeof(uchar4) == 4, "");
}"""
    x = np.arange(1, 65, dtype=np.float32).reshape(16, 4)
    buffers = {
        "x": x,
        "y": np.zeros_like(x),
        "t": np.zeros((16, 3), np.float32),
        "d": np.ones((16, 4)),
    }
    run = _passed(
        bench, source, Start("k", ("x", "y", "t", "d"), block=(16, 1, 1)), buffers, 64, False
    )

    v = x.copy()
    v[:, 1] += 10
    v[:, 3] = v[:, 0]
    np.testing.assert_allclose(run.outputs["y"], 2 * v + np.array([1, 2, 3, 4]) / v[:, 2:3], 1e-6)
    np.testing.assert_array_equal(run.outputs["t"], -2 * (np.arange(16)[:, None] + np.arange(3)))
    np.testing.assert_array_equal(run.outputs["d"][:, 1], v[:, 0])


def test_indices_have_three_dimensions(bench: Bench) -> None:
    source = """extern "C" __global__ void k(int* y) {
  int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  dim3 size = blockDim;
  y[block * (size.x * size.y * size.z) + thread] = block * 1000 + thread;
}"""
    run = _passed(
        bench,
        source,
        Start("k", ("y",), (2, 3, 4), (5, 3, 2)),
        {"y": np.zeros((24, 30), np.int32)},
        64,
        False,
    )

    expected = 1000 * np.arange(24)[:, None] + np.arange(30)
    np.testing.assert_array_equal(run.outputs["y"], expected)


def _passed(
    bench: Bench,
    source: str,
    start: Start,
    buffers: Mapping[str, npt.NDArray[np.generic]],
    wave: int,
    reverse: bool,
) -> EmulatorRun:
    run = bench.run(source, start, buffers, wave=wave, reverse=reverse)
    assert run.findings == ()
    return run


def _bfloat16(x: Floats) -> Floats:
    bits = x.view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return np.where(np.isfinite(x), rounded, bits).astype(np.uint32).view(np.float32)
