// Sum of a vector: blocks write partial sums, one block adds them.
#include <hip/hip_runtime.h>

__device__ float block_sum(float value, float* parts) {
  parts[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
    __syncthreads();
  }
  return parts[0];
}

extern "C" __global__ void __launch_bounds__(256)
    partial_sums(const float* __restrict__ x, float* __restrict__ partial, int n) {
  __shared__ float parts[256];
  float sum = 0.0f;
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += gridDim.x * 256) sum += x[i];
  sum = block_sum(sum, parts);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(256)
    final_sum(const float* __restrict__ partial, float* __restrict__ y, int blocks) {
  __shared__ float parts[256];
  const float sum = block_sum((int)threadIdx.x < blocks ? partial[threadIdx.x] : 0.0f, parts);
  if (threadIdx.x == 0) y[0] = sum;
}
