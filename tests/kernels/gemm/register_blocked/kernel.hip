#include <hip/hip_runtime.h>

// C = A B, a 64x64 tile a block, 4x4 results in registers of each of 16x16 threads.
#define BM 64
#define BN 64
#define BK 8
#define TM 4
#define TN 4

extern "C" __global__ void __launch_bounds__(256)
    gemm_blocked(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float a_tile[BK][BM + 1];  // transposed, so that a thread reads a column of A
  __shared__ float b_tile[BK][BN];
  const int t = threadIdx.x, tx = t % 16, ty = t / 16;
  const int row0 = blockIdx.y * BM, col0 = blockIdx.x * BN;
  float acc[TM][TN] = {};
  for (int k0 = 0; k0 < k; k0 += BK) {
    for (int i = t; i < BM * BK; i += 256) {
      const int r = i / BK, kk = i % BK;
      const bool inside = row0 + r < m && k0 + kk < k;
      a_tile[kk][r] = inside ? a[(size_t)(row0 + r) * k + k0 + kk] : 0.0f;
    }
    for (int i = t; i < BK * BN; i += 256) {
      const int kk = i / BN, cc = i % BN;
      const bool inside = k0 + kk < k && col0 + cc < n;
      b_tile[kk][cc] = inside ? b[(size_t)(k0 + kk) * n + col0 + cc] : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (int kk = 0; kk < BK; ++kk) {
      float left[TM], right[TN];
#pragma unroll
      for (int i = 0; i < TM; ++i) left[i] = a_tile[kk][ty * TM + i];
#pragma unroll
      for (int j = 0; j < TN; ++j) right[j] = b_tile[kk][tx * TN + j];
#pragma unroll
      for (int i = 0; i < TM; ++i)
#pragma unroll
        for (int j = 0; j < TN; ++j) acc[i][j] += left[i] * right[j];
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < TM; ++i) {
    const int row = row0 + ty * TM + i;
#pragma unroll
    for (int j = 0; j < TN; ++j) {
      const int col = col0 + tx * TN + j;
      if (row < m && col < n) c[(size_t)row * n + col] = acc[i][j];
    }
  }
}
