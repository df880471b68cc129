#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

// C = A B^T in half with sums in float; k is even, so that rows are read as pairs of halves.
extern "C" __global__ void __launch_bounds__(256)
    gemm_half(const __half2* a, const __half2* b, __half* c, int m, int n, int k) {
  const int col = blockIdx.x * 16 + threadIdx.x, row = blockIdx.y * 16 + threadIdx.y;
  if (row >= m || col >= n) return;
  const int pairs = k / 2;
  float sum = 0.0f;
  for (int i = 0; i < pairs; ++i) {
    const float2 x = __half22float2(a[(size_t)row * pairs + i]);
    const float2 y = __half22float2(b[(size_t)col * pairs + i]);
    sum += x.x * y.x + x.y * y.y;
  }
  c[(size_t)row * n + col] = __float2half(sum);
}
