#include <hip/hip_runtime.h>

// C = A B^T of signed bytes, four at a time; each row has k / 4 words.
__device__ __forceinline__ int dot4(int x, int y, int sum) {
  for (int byte = 0; byte < 4; ++byte)
    sum += (int)(signed char)(x >> (8 * byte)) * (int)(signed char)(y >> (8 * byte));
  return sum;
}

extern "C" __global__ void __launch_bounds__(256)
    gemm_int8(const int* a, const int* b, int* c, int m, int n, int k) {
  const int col = blockIdx.x * 16 + threadIdx.x, row = blockIdx.y * 16 + threadIdx.y;
  if (row >= m || col >= n) return;
  const int words = k / 4;
  int sum = 0;
  for (int i = 0; i < words; ++i)
    sum = dot4(a[(size_t)row * words + i], b[(size_t)col * words + i], sum);
  c[(size_t)row * n + col] = sum;
}
