// Joint histogram of two features of 16 levels each, by global atomics.
#include <hip/hip_runtime.h>

extern "C" __global__ void __launch_bounds__(256) clear_joint(int* counts) {
  counts[blockIdx.x * 256 + threadIdx.x] = 0;
}

extern "C" __global__ void __launch_bounds__(128)
    joint_2d(const float* __restrict__ a, const float* __restrict__ b, int* counts, int n) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= n) return;
  const int row = min((int)(a[i] * 16.0f), 15), col = min((int)(b[i] * 16.0f), 15);
  atomicAdd(&counts[row * 16 + col], 1);
}
