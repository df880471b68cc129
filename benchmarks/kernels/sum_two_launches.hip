// Sum of a vector: partial sums by 256 blocks, then one block adds those up. No atomics.
#include <hip/hip_runtime.h>

constexpr int block = 256;

__device__ void add_block(float value, float* result) {
  __shared__ float parts[block];
  parts[threadIdx.x] = value;
  __syncthreads();
  for (int half = block / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) *result = parts[0];
}

extern "C" __global__ void __launch_bounds__(block)
    sum_parts(const float* __restrict__ x, float* __restrict__ parts, int count) {
  float sum = 0.0f;
  for (int i = blockIdx.x * block + threadIdx.x; i < count; i += gridDim.x * block) sum += x[i];
  add_block(sum, parts + blockIdx.x);
}

extern "C" __global__ void __launch_bounds__(block)
    sum_of_parts(const float* __restrict__ parts, float* __restrict__ total, int count) {
  float sum = 0.0f;
  for (int i = threadIdx.x; i < count; i += block) sum += parts[i];
  add_block(sum, total);
}
