// Softmax of each row: a block of 256 a row, reduced by shuffles in the wave and then by LDS.
#include <hip/hip_runtime.h>

constexpr int block = 256;

__device__ float across_block(float value, bool largest) {
  __shared__ float parts[block / 32];
  for (int step = warpSize / 2; step > 0; step /= 2) {
    const float other = __shfl_xor(value, step);
    value = largest ? fmaxf(value, other) : value + other;
  }
  const int waves = block / warpSize;
  if (threadIdx.x % warpSize == 0) parts[threadIdx.x / warpSize] = value;
  __syncthreads();
  value = parts[0];
  for (int i = 1; i < waves; ++i) value = largest ? fmaxf(value, parts[i]) : value + parts[i];
  __syncthreads();
  return value;
}

extern "C" __global__ void __launch_bounds__(block)
    softmax_shuffle(const float* __restrict__ x, float* __restrict__ y, int columns) {
  const float* in = x + (size_t)blockIdx.x * columns;
  float* out = y + (size_t)blockIdx.x * columns;
  float top = -INFINITY;
  for (int i = threadIdx.x; i < columns; i += block) top = fmaxf(top, in[i]);
  top = across_block(top, true);
  float sum = 0.0f;
  for (int i = threadIdx.x; i < columns; i += block) sum += expf(in[i] - top);
  const float scale = 1.0f / across_block(sum, false);
  for (int i = threadIdx.x; i < columns; i += block) out[i] = expf(in[i] - top) * scale;
}
