#include <hip/hip_runtime.h>

// C = A B with the k axis shared out over blockIdx.z; a second launch adds the partial products.
#define TILE 16
#define CHUNK 24

extern "C" __global__ void __launch_bounds__(TILE* TILE)
    gemm_partial(const float* a, const float* b, float* partial, int m, int n, int k) {
  const int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
  if (row >= m || col >= n) return;
  const int begin = blockIdx.z * CHUNK, end = min(begin + CHUNK, k);
  float sum = 0.0f;
  for (int i = begin; i < end; ++i) sum += a[(size_t)row * k + i] * b[(size_t)i * n + col];
  partial[((size_t)blockIdx.z * m + row) * n + col] = sum;
}

extern "C" __global__ void gemm_combine(const float* partial, float* c, int m, int n, int k) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= m * n) return;
  const int chunks = (k + CHUNK - 1) / CHUNK;
  float sum = 0.0f;
  for (int chunk = 0; chunk < chunks; ++chunk) sum += partial[(size_t)chunk * m * n + i];
  c[i] = sum;
}
