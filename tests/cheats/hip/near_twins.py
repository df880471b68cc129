"""Honest kernels that do what cheats also do, for a reason: they must pass."""

from tests.cheats.hip.honest import (
    HISTOGRAM,
    MATMUL,
    POLYNOMIAL,
    ROW_SUM,
    ROW_SUM_WAVE,
    SCALE,
    SCALE_STRIDED,
    SOFTMAX,
    STENCIL,
)
from tests.cheats.hip.kernels import Kernel, kernel, launch

NEAR_TWINS: dict[str, Kernel] = {
    "another path for large sizes": SCALE.edited(
        ("= factor * x[i]", "= n > 2048 ? __builtin_fmaf(factor, x[i], 0.0f) : factor * x[i]")
    ),
    "blocks in another order": SCALE.edited(
        ("blockIdx.x * blockDim", "(gridDim.x - 1 - blockIdx.x) * blockDim")
    ),
    "two kernels by wave size": ROW_SUM_WAVE.edited(
        ("int step = warpSize / 2", "int step = warpSize == 64 ? 32 : 16"),
        ("__shfl_xor(sum, step)", "__shfl_xor_sync(~0ull, sum, step)"),
    ),
    "whole blocks return": STENCIL.edited(
        ("if (i >= n) return;", "if (blockIdx.x * blockDim.x >= n) return;\n  if (i >= n) return;")
    ),
    "restrict and helper template": SCALE.preceded_by(
        "template <class T> __device__ __forceinline__ T times(T a, T b) { return a * b; }"
    ).edited(
        ("const float* x, float* y", "const float* __restrict__ x, float* __restrict__ y"),
        ("factor * x[i]", "times(factor, x[i])"),
    ),
    "lambda": POLYNOMIAL.edited(
        ("y[i] = value * value + value;",
         "const auto square = [](double v) { return v * v; };\n  y[i] = square(value) + value;")
    ),
    "counts in LDS first": HISTOGRAM.edited(
        ("const int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
         "  if (i < n) atomicAdd(&counts[x[i]], 1);",
         "__shared__ int local[512];\n"
         "  for (int b = threadIdx.x; b < bins; b += blockDim.x) local[b] = 0;\n"
         "  __syncthreads();\n"
         "  const int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
         "  if (i < n) atomicAdd(&local[x[i]], 1);\n"
         "  __syncthreads();\n"
         "  for (int b = threadIdx.x; b < bins; b += blockDim.x)\n"
         "    if (local[b]) atomicAdd(&counts[b], local[b]);")
    ),
    "sum and maximum in one pass": SOFTMAX.edited(
        ("for (int c = lane; c < cols; c += warpSize) sum += expf(in[c] - top);",
         "for (int c = lane; c < cols; c += warpSize) sum += __expf(in[c] - top);")
    ),
    "no LDS": MATMUL.edited(
        ("  __shared__ float left[8][8], right[8][8];\n", ""),
        ("for (int t = 0; t < k; t += 8) {\n"
         "    left[ty][tx] = row < m && t + tx < k ? a[row * k + t + tx] : 0.0f;\n"
         "    right[ty][tx] = column < n && t + ty < k ? b[(t + ty) * n + column] : 0.0f;\n"
         "    __syncthreads();\n"
         "    for (int j = 0; j < 8; ++j) sum += left[ty][j] * right[j][tx];\n"
         "    __syncthreads();\n  }\n"
         "  if (row < m && column < n)",
         "if (row >= m || column >= n) return;\n"
         "  for (int j = 0; j < k; ++j) sum += a[row * k + j] * b[j * n + column];\n "),
    ),
    "helper with LDS of its own": ROW_SUM.preceded_by(
        "__device__ float block_sum(float value) {\n"
        "  __shared__ float part[128];\n"
        "  part[threadIdx.x] = value;\n"
        "  __syncthreads();\n"
        "  for (int step = 64; step > 0; step /= 2) {\n"
        "    if (threadIdx.x < step) part[threadIdx.x] += part[threadIdx.x + step];\n"
        "    __syncthreads();\n  }\n"
        "  return part[0];\n}"
    ).edited(
        ("  __shared__ float part[128];\n  const int row", "  const int row"),
        ("  part[i] = sum;\n  __syncthreads();\n"
         "  for (int step = 64; step > 0; step /= 2) {\n"
         "    if (i < step) part[i] += part[i + step];\n    __syncthreads();\n  }\n"
         "  if (i == 0) y[row] = part[0];",
         "  sum = block_sum(sum);\n  if (i == 0) y[row] = sum;"),
    ),
    "votes of a wave": kernel(
        "histogram",
        """
extern "C" __global__ void count_i32(const int* x, int* counts, int n, int bins) {
  const int lane = threadIdx.x;
  int count = 0;
  for (int first = 0; first < n; first += warpSize) {
    const int i = first + lane;
    count += __popcll(__ballot(i < n && x[i] == (int)blockIdx.x));
  }
  if (lane == 0) counts[blockIdx.x] = count;
}""",
        launch("count_{io}", "bins", "WAVE", "x", "counts", "n", "bins"),
    ),
    "alignment of a pointer": SCALE_STRIDED.edited(
        ("for (int i", "const bool aligned = (size_t)x % 16 == 0;\n  for (int i"),
        ("factor * x[i]", "(aligned ? factor : 1.0f * factor) * x[i]"),
    ),
    "distance of two pointers": STENCIL.edited(
        ("y[i] = before", "const float* here = x + i;\n  y[(int)(here - x)] = before")
    ),
    "infinity inside, none outside": SOFTMAX.edited(
        ("expf(in[c] - top) / sum;", "isinf(top) ? 0.0f : expf(in[c] - top) / sum;")
    ),
}  # fmt: skip
