#include <hip/hip_runtime.h>

// C = A B with the k axis shared out over blockIdx.z; partial sums meet by atomicAdd.
#define TILE 16
#define CHUNK 32

extern "C" __global__ void clear(float* c, int m, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < m * n) c[i] = 0.0f;
}

extern "C" __global__ void __launch_bounds__(TILE* TILE)
    gemm_split(const float* a, const float* b, float* c, int m, int n, int k) {
  const int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
  if (row >= m || col >= n) return;
  const int begin = blockIdx.z * CHUNK, end = min(begin + CHUNK, k);
  float sum = 0.0f;
  for (int i = begin; i < end; ++i) sum += a[(size_t)row * k + i] * b[(size_t)i * n + col];
  atomicAdd(&c[(size_t)row * n + col], sum);
}
