#include <hip/hip_runtime.h>

// Causal attention, one wave a query: lanes share the keys, two passes, no LDS.
#define DIM 16

extern "C" __global__ void causal_attention(const float* q, const float* k, const float* v,
                                            float* out, int tokens, float scale) {
  const int i = blockIdx.x, head = blockIdx.y, lane = threadIdx.x;
  const size_t base = (size_t)head * tokens * DIM;
  const float* query = q + base + (size_t)i * DIM;
  float top = -INFINITY;
  for (int j = lane; j <= i; j += warpSize) {
    float score = 0.0f;
    for (int d = 0; d < DIM; ++d) score += query[d] * k[base + (size_t)j * DIM + d];
    top = fmaxf(top, scale * score);
  }
  for (int mask = warpSize / 2; mask > 0; mask /= 2) top = fmaxf(top, __shfl_xor(top, mask));
  float sum = 0.0f, acc[DIM] = {};
  for (int j = lane; j <= i; j += warpSize) {
    float score = 0.0f;
    for (int d = 0; d < DIM; ++d) score += query[d] * k[base + (size_t)j * DIM + d];
    const float weight = expf(scale * score - top);
    sum += weight;
    for (int d = 0; d < DIM; ++d) acc[d] += weight * v[base + (size_t)j * DIM + d];
  }
  for (int mask = warpSize / 2; mask > 0; mask /= 2) {
    sum += __shfl_xor(sum, mask);
    for (int d = 0; d < DIM; ++d) acc[d] += __shfl_xor(acc[d], mask);
  }
#pragma unroll
  for (int d = 0; d < DIM; ++d)
    if (lane == d) out[base + (size_t)i * DIM + d] = acc[d] / sum;
}
