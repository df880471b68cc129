// Sum of each column: 32 columns a block, 8 rows at a time, added in LDS.
#include <hip/hip_runtime.h>

extern "C" __global__ void __launch_bounds__(256)
    column_sum(const float* __restrict__ x, float* __restrict__ y, int rows, int cols) {
  __shared__ float parts[8][32];
  const int col = blockIdx.x * 32 + threadIdx.x;
  float sum = 0.0f;
  if (col < cols) {
    for (int row = threadIdx.y; row < rows; row += 8) sum += x[(size_t)row * cols + col];
  }
  parts[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && col < cols) {
    for (int i = 1; i < 8; ++i) sum += parts[i][threadIdx.x];
    y[col] = sum;
  }
}
