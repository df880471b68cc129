#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

// Sliding-window attention in half, sums in float: a query sees the `window` tokens up to itself.
#define DIM 16

extern "C" __global__ void __launch_bounds__(64)
    window_attention(const __half* q, const __half* k, const __half* v, __half* out, int tokens,
                     int window, float scale) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= tokens) return;
  float query[DIM], acc[DIM] = {};
  for (int d = 0; d < DIM; ++d) query[d] = scale * __half2float(q[(size_t)i * DIM + d]);
  float top = -INFINITY, sum = 0.0f;
  for (int j = max(0, i - window + 1); j <= i; ++j) {
    float score = 0.0f;
    for (int d = 0; d < DIM; ++d) score += query[d] * __half2float(k[(size_t)j * DIM + d]);
    const float new_top = fmaxf(top, score);
    const float shrink = expf(top - new_top), p = expf(score - new_top);
    sum = sum * shrink + p;
    for (int d = 0; d < DIM; ++d)
      acc[d] = acc[d] * shrink + p * __half2float(v[(size_t)j * DIM + d]);
    top = new_top;
  }
  for (int d = 0; d < DIM; ++d) out[(size_t)i * DIM + d] = __float2half(acc[d] / sum);
}
