#include <hip/hip_runtime.h>
#include <hip/hip_bf16.h>

// C = A B^T in bfloat16 with sums in float, 16x16 tiles in LDS, widened.
#define TILE 16

extern "C" __global__ void __launch_bounds__(TILE* TILE)
    gemm_bf16(const __hip_bfloat16* a, const __hip_bfloat16* b, __hip_bfloat16* c, int m, int n,
              int k) {
  __shared__ float a_tile[TILE][TILE + 1];
  __shared__ float b_tile[TILE][TILE + 1];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * TILE + ty, first = blockIdx.x * TILE;
  float sum = 0.0f;
  for (int k0 = 0; k0 < k; k0 += TILE) {
    const bool deep = k0 + tx < k;
    a_tile[ty][tx] = deep && row < m ? __bfloat162float(a[(size_t)row * k + k0 + tx]) : 0.0f;
    // rows of B are columns of the product
    b_tile[ty][tx] =
        deep && first + ty < n ? __bfloat162float(b[(size_t)(first + ty) * k + k0 + tx]) : 0.0f;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < TILE; ++i) sum += a_tile[ty][i] * b_tile[tx][i];
    __syncthreads();
  }
  if (row < m && first + tx < n) c[(size_t)row * n + first + tx] = __float2bfloat16(sum);
}
