#include <hip/hip_runtime.h>

// y = A x, one wave a row, four waves a block.
extern "C" __global__ void gemv(const float* a, const float* x, float* y, int rows, int cols) {
  const int lane = threadIdx.x, row = blockIdx.x * blockDim.y + threadIdx.y;
  float sum = 0.0f;
  if (row < rows)
    for (int i = lane; i < cols; i += warpSize) sum += a[(size_t)row * cols + i] * x[i];
#pragma unroll
  for (int mask = warpSize / 2; mask > 0; mask /= 2) sum += __shfl_xor(sum, mask);
  if (lane == 0 && row < rows) y[row] = sum;
}
