#include <hip/hip_runtime.h>

// Quantised y = scale (A - zero) x: dot products of unsigned bytes by the machine's instruction.
extern "C" __global__ void __launch_bounds__(64)
    quantised_gemv(const unsigned* a, const unsigned* x, float* y, int rows, int cols, int zero,
                   float scale) {
  __shared__ int products[64];
  __shared__ int totals[64];
  const int t = threadIdx.x, words = cols / 4;
  unsigned product = 0, total = 0;
  for (int i = t; i < words; i += 64) {
    product = __builtin_amdgcn_udot4(a[(size_t)blockIdx.x * words + i], x[i], product, false);
    total = __builtin_amdgcn_udot4(0x01010101u, x[i], total, false);
  }
  products[t] = product;
  totals[t] = total;
  __syncthreads();
  for (int half = 32; half > 0; half /= 2) {
    if (t < half) {
      products[t] += products[t + half];
      totals[t] += totals[t + half];
    }
    __syncthreads();
  }
  if (t == 0) y[blockIdx.x] = scale * (float)(products[0] - zero * totals[0]);
}
