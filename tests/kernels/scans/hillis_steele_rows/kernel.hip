// Inclusive sum of each row of up to 256 integers, between two halves of LDS.
#include <hip/hip_runtime.h>

extern "C" __global__ void __launch_bounds__(256)
    hillis_steele_rows(const int* __restrict__ x, int* __restrict__ y, int cols) {
  __shared__ int sums[2][256];
  const int t = threadIdx.x;
  int from = 0;
  sums[from][t] = t < cols ? x[(size_t)blockIdx.x * cols + t] : 0;
  __syncthreads();
  for (int offset = 1; offset < 256; offset *= 2) {
    const int to = 1 - from;
    sums[to][t] = sums[from][t] + (t >= offset ? sums[from][t - offset] : 0);
    __syncthreads();
    from = to;
  }
  if (t < cols) y[(size_t)blockIdx.x * cols + t] = sums[from][t];
}
