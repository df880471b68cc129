#include <hip/hip_runtime.h>

// C = A B; while one pair of LDS tiles is multiplied, the next is loaded into the other.
#define TILE 16

extern "C" __global__ void __launch_bounds__(TILE* TILE)
    gemm_double(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float a_tile[2][TILE][TILE + 1];
  __shared__ float b_tile[2][TILE][TILE + 1];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  const int steps = (k + TILE - 1) / TILE;
  a_tile[0][ty][tx] = row < m && tx < k ? a[(size_t)row * k + tx] : 0.0f;
  b_tile[0][ty][tx] = ty < k && col < n ? b[(size_t)ty * n + col] : 0.0f;
  __syncthreads();
  float sum = 0.0f;
  for (int step = 0; step < steps; ++step) {
    const int now = step & 1, next = now ^ 1;
    float a_next = 0.0f, b_next = 0.0f;
    if (step + 1 < steps) {
      const int k0 = (step + 1) * TILE;
      if (row < m && k0 + tx < k) a_next = a[(size_t)row * k + k0 + tx];
      if (k0 + ty < k && col < n) b_next = b[(size_t)(k0 + ty) * n + col];
    }
#pragma unroll
    for (int i = 0; i < TILE; ++i) sum += a_tile[now][ty][i] * b_tile[now][i][tx];
    a_tile[next][ty][tx] = a_next;
    b_tile[next][ty][tx] = b_next;
    __syncthreads();
  }
  if (row < m && col < n) c[(size_t)row * n + col] = sum;
}
