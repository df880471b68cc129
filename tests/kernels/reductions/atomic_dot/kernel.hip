// Dot product: each block adds in LDS, then one atomic addition a block.
#include <hip/hip_runtime.h>

extern "C" __global__ void clear(float* y) { y[0] = 0.0f; }

extern "C" __global__ void __launch_bounds__(128)
    atomic_dot(const float* __restrict__ a, const float* __restrict__ b, float* y, int n) {
  __shared__ float sum;
  if (threadIdx.x == 0) sum = 0.0f;
  __syncthreads();
  float mine = 0.0f;
  for (int i = blockIdx.x * 128 + threadIdx.x; i < n; i += gridDim.x * 128) mine += a[i] * b[i];
  for (int offset = warpSize / 2; offset > 0; offset /= 2) mine += __shfl_xor(mine, offset);
  if (threadIdx.x % warpSize == 0) atomicAdd(&sum, mine);
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(y, sum);
}
