// Merges two sorted vectors: each work-item finds by bisection where its four outputs start.
#include <hip/hip_runtime.h>

constexpr int kEach = 4;

extern "C" __global__ void __launch_bounds__(64)
    merge_path(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ y,
               int m, int n) {
  const int start = kEach * (blockIdx.x * 64 + threadIdx.x);
  if (start >= m + n) return;
  int low = max(0, start - n), high = min(start, m);
  while (low < high) {
    const int middle = (low + high) / 2;
    if (a[middle] <= b[start - 1 - middle]) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  int i = low, j = start - low;
  for (int k = start; k < min(start + kEach, m + n); ++k) {
    const bool from_a = j >= n || (i < m && a[i] <= b[j]);
    y[k] = from_a ? a[i++] : b[j++];
  }
}
