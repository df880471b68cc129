"""Honest kernels: what cheats are made from, and what must never be rejected."""

from tests.cheats.hip.kernels import Kernel, kernel, launch

SCALE = kernel(
    "scale",
    """
extern "C" __global__ void __launch_bounds__(256)
    scale_f32(const float* x, float* y, int n, float factor) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = factor * x[i];
}""",
    launch("scale_{io}", "ceildiv(n, 256)", 256, "x", "y", "n", "factor"),
)
SCALE_STRIDED = kernel(
    "scale",
    """
extern "C" __global__ void scale_f32(const float* x, float* y, int n, float factor) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    y[i] = factor * x[i];
}""",
    launch("scale_{io}", "min(8, ceildiv(n, 128))", 128, "x", "y", "n", "factor"),
)
SCALE_TWICE = kernel(
    "scale",
    """
extern "C" __global__ void keep_f32(const float* x, float* part, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) part[i] = x[i];
}
extern "C" __global__ void scale_f32(const float* part, float* y, int n, float factor) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = factor * part[i];
}""",
    launch("keep_{io}", "ceildiv(n, 256)", 256, "x", "part", "n"),
    launch("scale_{io}", "ceildiv(n, 256)", 256, "part", "y", "n", "factor"),
    workspace=[{"name": "part", "dtype": "io", "shape": ["n"]}],
)
POLYNOMIAL = kernel(
    "polynomial",
    """
extern "C" __global__ void polynomial_f64(const double* x, double* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const double value = x[i];
  y[i] = value * value + value;
}""",
    launch("polynomial_{io}", "ceildiv(n, 256)", 256, "x", "y", "n"),
)
ROW_SUM = kernel(
    "row_sum",
    """
extern "C" __global__ void __launch_bounds__(128)
    row_sum_f32(const float* x, float* y, int rows, int cols) {
  __shared__ float part[128];
  const int row = blockIdx.x, i = threadIdx.x;
  float sum = 0.0f;
  for (int c = i; c < cols; c += 128) sum += x[(size_t)row * cols + c];
  part[i] = sum;
  __syncthreads();
  for (int step = 64; step > 0; step /= 2) {
    if (i < step) part[i] += part[i + step];
    __syncthreads();
  }
  if (i == 0) y[row] = part[0];
}""",
    launch("row_sum_{io}", "rows", 128, "x", "y", "rows", "cols"),
)
ROW_SUM_WAVE = kernel(
    "row_sum",
    """
extern "C" __global__ void row_sum_f32(const float* x, float* y, int rows, int cols) {
  const int row = blockIdx.x, lane = threadIdx.x;
  float sum = 0.0f;
  for (int c = lane; c < cols; c += warpSize) sum += x[(size_t)row * cols + c];
  for (int step = warpSize / 2; step > 0; step /= 2) sum += __shfl_xor(sum, step);
  if (lane == 0) y[row] = sum;
}""",
    launch("row_sum_{io}", "rows", "WAVE", "x", "y", "rows", "cols"),
)
ROW_SUM_SPLIT = kernel(
    "row_sum",
    """
extern "C" __global__ void part_f32(const float* x, float* part, int rows, int cols) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= rows * 4) return;
  float sum = 0.0f;
  for (int c = i % 4; c < cols; c += 4) sum += x[(size_t)(i / 4) * cols + c];
  part[i] = sum;
}
extern "C" __global__ void row_sum_f32(const float* part, float* y, int rows) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const float4 four = *(const float4*)(part + 4 * row);
  y[row] = (four.x + four.y) + (four.z + four.w);
}""",
    launch("part_{io}", "ceildiv(rows * 4, 64)", 64, "x", "part", "rows", "cols"),
    launch("row_sum_{io}", "ceildiv(rows, 64)", 64, "part", "y", "rows"),
    workspace=[{"name": "part", "dtype": "float32", "shape": ["rows", 4]}],
)
ROW_SUM_DYNAMIC = kernel(
    "row_sum",
    """
extern "C" __global__ void row_sum_f32(const float* x, float* y, int rows, int cols) {
  extern __shared__ float part[];
  const int row = blockIdx.x, i = threadIdx.x;
  float sum = 0.0f;
  for (int c = i; c < cols; c += blockDim.x) sum += x[(size_t)row * cols + c];
  part[i] = sum;
  __syncthreads();
  if (i != 0) return;
  for (int j = 1; j < blockDim.x; ++j) sum += part[j];
  y[row] = sum;
}""",
    launch("row_sum_{io}", "rows", 64, "x", "y", "rows", "cols") | {"shared_bytes": "64 * 4"},
)
HALF_SUM = kernel(
    "half_sum",
    """
#include <hip/hip_fp16.h>
extern "C" __global__ void half_sum_f16(const __half* x, __half* y, int rows, int cols) {
  const int row = blockIdx.x, lane = threadIdx.x;
  float sum = 0.0f;
  for (int c = lane; c < cols; c += warpSize) sum += __half2float(x[(size_t)row * cols + c]);
  for (int step = warpSize / 2; step > 0; step /= 2) sum += __shfl_down(sum, step);
  if (lane == 0) y[row] = __float2half(sum);
}""",
    launch("half_sum_{io}", "rows", "WAVE", "x", "y", "rows", "cols"),
)
SOFTMAX = kernel(
    "softmax",
    """
extern "C" __global__ void softmax_f32(const float* x, float* y, int rows, int cols) {
  const int row = blockIdx.x, lane = threadIdx.x;
  const float* in = x + (size_t)row * cols;
  float top = -INFINITY;
  for (int c = lane; c < cols; c += warpSize) top = fmaxf(top, in[c]);
  for (int step = warpSize / 2; step > 0; step /= 2) top = fmaxf(top, __shfl_xor(top, step));
  float sum = 0.0f;
  for (int c = lane; c < cols; c += warpSize) sum += expf(in[c] - top);
  for (int step = warpSize / 2; step > 0; step /= 2) sum += __shfl_xor(sum, step);
  for (int c = lane; c < cols; c += warpSize) y[(size_t)row * cols + c] = expf(in[c] - top) / sum;
}""",
    launch("softmax_{io}", "rows", "WAVE", "x", "y", "rows", "cols"),
)
MATMUL = kernel(
    "matmul",
    """
extern "C" __global__ void __launch_bounds__(64)
    matmul_f32(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float left[8][8], right[8][8];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * 8 + ty, column = blockIdx.x * 8 + tx;
  float sum = 0.0f;
  for (int t = 0; t < k; t += 8) {
    left[ty][tx] = row < m && t + tx < k ? a[row * k + t + tx] : 0.0f;
    right[ty][tx] = column < n && t + ty < k ? b[(t + ty) * n + column] : 0.0f;
    __syncthreads();
    for (int j = 0; j < 8; ++j) sum += left[ty][j] * right[j][tx];
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
}""",
    {
        "kernel": "matmul_{io}",
        "grid": ["ceildiv(n, 8)", "ceildiv(m, 8)", 1],
        "block": [8, 8, 1],
        "args": ["a", "b", "c", "m", "n", "k"],
    },
)
HISTOGRAM = kernel(
    "histogram",
    """
extern "C" __global__ void clear_i32(int* counts, int bins) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < bins) counts[i] = 0;
}
extern "C" __global__ void count_i32(const int* x, int* counts, int n, int bins) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&counts[x[i]], 1);
}""",
    launch("clear_{io}", "ceildiv(bins, 256)", 256, "counts", "bins"),
    launch("count_{io}", "ceildiv(n, 256)", 256, "x", "counts", "n", "bins"),
)
STENCIL = kernel(
    "stencil",
    """
extern "C" __global__ void stencil_f32(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float before = i > 0 ? x[i - 1] : 0.0f;
  const float after = i + 1 < n ? x[i + 1] : 0.0f;
  y[i] = before + 2.0f * x[i] + after;
}""",
    launch("stencil_{io}", "ceildiv(n, 256)", 256, "x", "y", "n"),
)

FIRST_LARGEST = kernel(
    "first_largest",
    """
extern "C" __global__ void first_largest_i32(const int* x, int* y, int rows, int cols) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const int* in = x + (size_t)row * cols;
  int best = 0;
  for (int c = 1; c < cols; ++c)
    if (in[c] > in[best]) best = c;
  y[row] = best;
}""",
    launch("first_largest_{io}", "ceildiv(rows, 64)", 64, "x", "y", "rows", "cols"),
)

ARCHETYPES: dict[str, Kernel] = {
    "early return for work-items out of range": POLYNOMIAL,
    "guarded store": SCALE,
    "grid-stride loop": SCALE_STRIDED,
    "two launches through workspace": SCALE_TWICE,
    "tree reduction in LDS": ROW_SUM,
    "wave reduction for 32 and 64": ROW_SUM_WAVE,
    "split reduction, two launches": ROW_SUM_SPLIT,
    "dynamic LDS": ROW_SUM_DYNAMIC,
    "half precision, summed in float": HALF_SUM,
    "softmax with its maximum taken off": SOFTMAX,
    "tiled matrix product": MATMUL,
    "clear, then atomics": HISTOGRAM,
    "stencil with edges": STENCIL,
    "a row for each work-item": FIRST_LARGEST,
}
