#include <hip/hip_runtime.h>

// 3x3 weighted blur with the nearest pixel beyond the border; edges and corners of the LDS tile are
// loaded by the threads next to them.
#define TILE 16

__device__ __forceinline__ float pixel(const float* x, int row, int col, int h, int w) {
  row = min(max(row, 0), h - 1);
  col = min(max(col, 0), w - 1);
  return x[(size_t)row * w + col];
}

extern "C" __global__ void __launch_bounds__(TILE* TILE)
    blur(const float* x, float* y, int h, int w) {
  __shared__ float tile[TILE + 2][TILE + 2];
  const int tx = threadIdx.x + 1, ty = threadIdx.y + 1;
  const int col = blockIdx.x * TILE + threadIdx.x, row = blockIdx.y * TILE + threadIdx.y;
  tile[ty][tx] = pixel(x, row, col, h, w);
  const int dx = tx == 1 ? -1 : tx == TILE ? 1 : 0, dy = ty == 1 ? -1 : ty == TILE ? 1 : 0;
  if (dx != 0) tile[ty][tx + dx] = pixel(x, row, col + dx, h, w);
  if (dy != 0) tile[ty + dy][tx] = pixel(x, row + dy, col, h, w);
  if (dx != 0 && dy != 0) tile[ty + dy][tx + dx] = pixel(x, row + dy, col + dx, h, w);
  __syncthreads();
  if (row >= h || col >= w) return;
  float sum = 4.0f * tile[ty][tx];
  sum += 2.0f * (tile[ty - 1][tx] + tile[ty + 1][tx] + tile[ty][tx - 1] + tile[ty][tx + 1]);
  sum += tile[ty - 1][tx - 1] + tile[ty - 1][tx + 1] + tile[ty + 1][tx - 1] + tile[ty + 1][tx + 1];
  y[(size_t)row * w + col] = sum / 16.0f;
}
