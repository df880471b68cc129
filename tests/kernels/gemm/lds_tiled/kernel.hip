#include <hip/hip_runtime.h>

// C = alpha A B + beta C, one 16x16 tile of C a block, tiles of A and B staged in LDS.
#define TILE 16

extern "C" __global__ void __launch_bounds__(TILE* TILE)
    gemm_lds(const float* a, const float* b, float* c, int m, int n, int k, float alpha,
             float beta) {
  __shared__ float a_tile[TILE][TILE];
  __shared__ float b_tile[TILE][TILE + 1];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  float sum = 0.0f;
  for (int k0 = 0; k0 < k; k0 += TILE) {
    a_tile[ty][tx] = row < m && k0 + tx < k ? a[(size_t)row * k + k0 + tx] : 0.0f;
    b_tile[ty][tx] = k0 + ty < k && col < n ? b[(size_t)(k0 + ty) * n + col] : 0.0f;
    __syncthreads();  // the tiles are there
#pragma unroll
    for (int i = 0; i < TILE; ++i) sum += a_tile[ty][i] * b_tile[i][tx];
    __syncthreads();  // the tiles may be overwritten
  }
  if (row < m && col < n) {
    const size_t at = (size_t)row * n + col;
    c[at] = alpha * sum + beta * c[at];
  }
}
