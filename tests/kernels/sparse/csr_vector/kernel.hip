#include <hip/hip_runtime.h>

// y = A x for a CSR matrix, one wave a row.
extern "C" __global__ void __launch_bounds__(256)
    csr_vector(const int* row_start, const int* column, const float* value, const float* x,
               float* y, int rows) {
  const int lane = threadIdx.x % warpSize;
  const int row = blockIdx.x * (blockDim.x / warpSize) + threadIdx.x / warpSize;
  if (row >= rows) return;
  float sum = 0.0f;
  for (int i = row_start[row] + lane; i < row_start[row + 1]; i += warpSize)
    sum += value[i] * x[column[i]];
  for (int offset = warpSize / 2; offset > 0; offset /= 2) sum += __shfl_down(sum, offset);
  if (lane == 0) y[row] = sum;
}
