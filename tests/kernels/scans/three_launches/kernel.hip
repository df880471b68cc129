// Inclusive sum of a vector of up to 65,536 integers: in blocks, over the blocks, and added.
#include <hip/hip_runtime.h>

__device__ int block_scan(int value, int* sums) {
  const int t = threadIdx.x;
  sums[t] = value;
  __syncthreads();
  for (int offset = 1; offset < 256; offset *= 2) {
    const int left = t >= offset ? sums[t - offset] : 0;
    __syncthreads();
    sums[t] += left;
    __syncthreads();
  }
  return sums[t];
}

extern "C" __global__ void __launch_bounds__(256)
    scan_blocks(const int* __restrict__ x, int* __restrict__ y, int* __restrict__ totals, int n) {
  __shared__ int sums[256];
  const int i = blockIdx.x * 256 + threadIdx.x;
  const int sum = block_scan(i < n ? x[i] : 0, sums);
  if (i < n) y[i] = sum;
  if (threadIdx.x == 255) totals[blockIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(256) scan_totals(int* totals, int n) {
  __shared__ int sums[256];
  const int blocks = (n + 255) / 256, t = threadIdx.x;
  const int sum = block_scan(t < blocks ? totals[t] : 0, sums);
  if (t < blocks) totals[t] = sum;
}

extern "C" __global__ void __launch_bounds__(256)
    add_totals(const int* __restrict__ totals, int* __restrict__ y, int n) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n && blockIdx.x > 0) y[i] += totals[blockIdx.x - 1];
}
