// Index of the largest element of each row; of equal ones the first.
#include <hip/hip_runtime.h>

extern "C" __global__ void __launch_bounds__(128)
    argmax_rows(const float* __restrict__ x, int* __restrict__ index, int cols) {
  __shared__ float best[128];
  __shared__ int where[128];
  const float* row = x + (size_t)blockIdx.x * cols;
  float top = -INFINITY;
  int at = cols;
  for (int i = threadIdx.x; i < cols; i += 128) {
    if (row[i] > top) {
      top = row[i];
      at = i;
    }
  }
  best[threadIdx.x] = top;
  where[threadIdx.x] = at;
  __syncthreads();
  for (unsigned half = 64; half > 0; half /= 2) {
    if (threadIdx.x < half) {
      const float other = best[threadIdx.x + half];
      const int other_at = where[threadIdx.x + half];
      if (other > best[threadIdx.x] ||
          (other == best[threadIdx.x] && other_at < where[threadIdx.x])) {
        best[threadIdx.x] = other;
        where[threadIdx.x] = other_at;
      }
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) index[blockIdx.x] = where[0];
}
