// Exclusive sum of each row of up to 256 integers: up-sweep and down-sweep, padded LDS.
#include <hip/hip_runtime.h>

constexpr int kSize = 256;
__device__ int padded(int i) { return i + i / 32; }

extern "C" __global__ void __launch_bounds__(kSize / 2)
    blelloch_exclusive(const int* __restrict__ x, int* __restrict__ y, int cols) {
  __shared__ int tree[kSize + kSize / 32];
  const int t = threadIdx.x;
  const int* row = x + (size_t)blockIdx.x * cols;
  for (int i = t; i < kSize; i += kSize / 2) tree[padded(i)] = i < cols ? row[i] : 0;
  int offset = 1;
  for (int nodes = kSize / 2; nodes > 0; nodes /= 2) {
    __syncthreads();
    if (t < nodes) {
      const int left = padded(offset * (2 * t + 1) - 1), right = padded(offset * (2 * t + 2) - 1);
      tree[right] += tree[left];
    }
    offset *= 2;
  }
  if (t == 0) tree[padded(kSize - 1)] = 0;
  for (int nodes = 1; nodes < kSize; nodes *= 2) {
    offset /= 2;
    __syncthreads();
    if (t < nodes) {
      const int left = padded(offset * (2 * t + 1) - 1), right = padded(offset * (2 * t + 2) - 1);
      const int sum = tree[left];
      tree[left] = tree[right];
      tree[right] += sum;
    }
  }
  __syncthreads();
  for (int i = t; i < cols; i += kSize / 2) y[(size_t)blockIdx.x * cols + i] = tree[padded(i)];
}
