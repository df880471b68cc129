#include <hip/hip_runtime.h>

// Y = A X for a CSR matrix and a dense X of `width` columns; a block keeps one row's elements in
// LDS, 64 at a time, and each thread makes one column.
extern "C" __global__ void __launch_bounds__(64)
    csr_spmm(const int* row_start, const int* column, const float* value, const float* x, float* y,
             int width) {
  __shared__ int columns[64];
  __shared__ float values[64];
  const int row = blockIdx.x, t = threadIdx.x, mine = blockIdx.y * 64 + t;
  const int begin = row_start[row], end = row_start[row + 1];
  float sum = 0.0f;
  for (int first = begin; first < end; first += 64) {
    const int here = min(64, end - first);
    if (t < here) {
      columns[t] = column[first + t];
      values[t] = value[first + t];
    }
    __syncthreads();  // the elements are there
    if (mine < width)
      for (int i = 0; i < here; ++i) sum += values[i] * x[(size_t)columns[i] * width + mine];
    __syncthreads();  // the elements may be overwritten
  }
  if (mine < width) y[(size_t)row * width + mine] = sum;
}
