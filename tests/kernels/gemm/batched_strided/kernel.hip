#include <hip/hip_runtime.h>

// C[i] = A[i]^T B[i] for a batch of small matrices; A is stored [k, m].
extern "C" __global__ void __launch_bounds__(64)
    gemm_batched(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float column[64];
  const int item = blockIdx.z, row = blockIdx.y, col = blockIdx.x * 64 + threadIdx.x;
  const float* left = a + (size_t)item * k * m;
  const float* right = b + (size_t)item * k * n;
  float sum = 0.0f;
  for (int k0 = 0; k0 < k; k0 += 64) {
    const int mine = k0 + threadIdx.x;
    column[threadIdx.x] = mine < k ? left[(size_t)mine * m + row] : 0.0f;
    __syncthreads();
    const int end = min(64, k - k0);
    if (col < n)
      for (int i = 0; i < end; ++i) sum += column[i] * right[(size_t)(k0 + i) * n + col];
    __syncthreads();
  }
  if (col < n) c[((size_t)item * m + row) * n + col] = sum;
}
