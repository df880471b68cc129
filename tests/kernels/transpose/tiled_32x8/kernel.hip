// 32 x 32 tiles in LDS, padded by a column against bank conflicts; four rows a work-item.
#include <hip/hip_runtime.h>

constexpr int kTile = 32, kRows = 8;

extern "C" __global__ void __launch_bounds__(kTile * kRows)
    tiled_32x8(const float* __restrict__ x, float* __restrict__ y, int rows, int cols) {
  __shared__ float tile[kTile][kTile + 1];
  const int col = blockIdx.x * kTile + threadIdx.x;
  const int row = blockIdx.y * kTile + threadIdx.y;
  for (int i = 0; i < kTile; i += kRows) {
    if (col < cols && row + i < rows) {
      tile[threadIdx.y + i][threadIdx.x] = x[(size_t)(row + i) * cols + col];
    }
  }
  __syncthreads();
  const int out_col = blockIdx.y * kTile + threadIdx.x;
  const int out_row = blockIdx.x * kTile + threadIdx.y;
  for (int i = 0; i < kTile; i += kRows) {
    if (out_col < rows && out_row + i < cols) {
      y[(size_t)(out_row + i) * rows + out_col] = tile[threadIdx.x][threadIdx.y + i];
    }
  }
}
