// Sorts each row of up to 256 floats in LDS by a bitonic network; the rest is filled with infinity.
#include <hip/hip_runtime.h>

extern "C" __global__ void __launch_bounds__(256)
    bitonic_rows(const float* __restrict__ x, float* __restrict__ y, int cols) {
  __shared__ float row[256];
  const int t = threadIdx.x;
  row[t] = t < cols ? x[(size_t)blockIdx.x * cols + t] : INFINITY;
  for (int size = 2; size <= 256; size *= 2) {
    for (int step = size / 2; step > 0; step /= 2) {
      __syncthreads();
      const int other = t ^ step;
      if (other > t) {
        const bool up = (t & size) == 0;
        const float a = row[t], b = row[other];
        if ((a > b) == up) {
          row[t] = b;
          row[other] = a;
        }
      }
    }
  }
  __syncthreads();
  if (t < cols) y[(size_t)blockIdx.x * cols + t] = row[t];
}
