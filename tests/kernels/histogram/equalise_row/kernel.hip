// Histogram equalisation: counts of 64 levels, their running sum, and the mapped levels.
#include <hip/hip_runtime.h>

constexpr int kLevels = 64;

extern "C" __global__ void __launch_bounds__(kLevels)
    equalise_row(const int* __restrict__ x, int* __restrict__ y, int cols) {
  __shared__ int counts[kLevels];
  __shared__ int below[kLevels];
  const size_t begin = (size_t)blockIdx.x * cols;
  const int t = threadIdx.x;
  counts[t] = 0;
  __syncthreads();
  for (int i = t; i < cols; i += kLevels) atomicAdd(&counts[x[begin + i]], 1);
  __syncthreads();
  int sum = 0;
  for (int i = 0; i <= t; ++i) sum += counts[i];
  below[t] = sum;
  __syncthreads();
  for (int i = t; i < cols; i += kLevels) {
    y[begin + i] = (int)((long long)below[x[begin + i]] * (kLevels - 1) / cols);
  }
}
