#include <hip/hip_runtime.h>

// y = A x for a CSR matrix, one thread a row.
extern "C" __global__ void __launch_bounds__(128)
    csr_scalar(const int* row_start, const int* column, const float* value, const float* x,
               float* y, int rows) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  float sum = 0.0f;
  const int end = row_start[row + 1];
  for (int i = row_start[row]; i < end; ++i) sum += value[i] * x[column[i]];
  y[row] = sum;
}
