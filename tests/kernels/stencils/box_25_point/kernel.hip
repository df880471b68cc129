#include <hip/hip_runtime.h>

// Mean over 5x5 points that lie inside; tile and halo of two in LDS as one flat array.
#define TILE 16
#define SIDE (TILE + 4)

extern "C" __global__ void __launch_bounds__(TILE* TILE)
    box(const float* x, float* y, int h, int w) {
  __shared__ float tile[SIDE * SIDE];
  const int t = threadIdx.y * TILE + threadIdx.x;
  const int top = (int)blockIdx.y * TILE - 2, left = (int)blockIdx.x * TILE - 2;
  for (int i = t; i < SIDE * SIDE; i += TILE * TILE) {
    const int row = top + i / SIDE, col = left + i % SIDE;
    const bool inside = row >= 0 && row < h && col >= 0 && col < w;
    tile[i] = inside ? x[(size_t)row * w + col] : 0.0f;
  }
  __syncthreads();
  const int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
  if (row >= h || col >= w) return;
  float sum = 0.0f;
#pragma unroll
  for (int dy = 0; dy < 5; ++dy)
#pragma unroll
    for (int dx = 0; dx < 5; ++dx)
      sum += tile[(threadIdx.y + dy) * SIDE + threadIdx.x + dx];
  const int rows = min(row + 2, h - 1) - max(row - 2, 0) + 1;
  const int cols = min(col + 2, w - 1) - max(col - 2, 0) + 1;
  y[(size_t)row * w + col] = sum / (float)(rows * cols);
}
