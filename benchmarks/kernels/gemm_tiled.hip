// C = A B for square matrices whose size is a multiple of 16: one tile of 16 x 16 a block.
#include <hip/hip_runtime.h>

constexpr int tile = 16;

extern "C" __global__ void __launch_bounds__(tile* tile)
    gemm_tiled(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c,
               int n) {
  __shared__ float rows[tile][tile];
  __shared__ float columns[tile][tile];
  const int x = threadIdx.x, y = threadIdx.y;
  const int row = blockIdx.y * tile + y, column = blockIdx.x * tile + x;
  float sum = 0.0f;
  for (int k = 0; k < n; k += tile) {
    rows[y][x] = a[row * n + k + x];
    columns[y][x] = b[(k + y) * n + column];
    __syncthreads();
    for (int i = 0; i < tile; ++i) sum += rows[y][i] * columns[i][x];
    __syncthreads();
  }
  c[row * n + column] = sum;
}
