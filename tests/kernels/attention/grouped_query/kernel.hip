#include <hip/hip_runtime.h>

// Grouped-query attention: `group` query heads share a head of K and V. One block of 32 a query.
#define DIM 32

extern "C" __global__ void __launch_bounds__(DIM)
    grouped(const float* q, const float* k, const float* v, float* out, int kv_heads, int group,
            int tokens, float scale) {
  __shared__ float query[DIM];
  __shared__ float products[DIM];
  const int d = threadIdx.x, i = blockIdx.x, head = blockIdx.y;
  const int kv_head = head / group;
  const size_t row = ((size_t)head * tokens + i) * DIM;
  query[d] = q[row + d];
  __syncthreads();
  float top = -INFINITY, sum = 0.0f, acc = 0.0f;
  for (int first = 0; first < tokens; first += DIM) {
    const int j = first + d;
    float score = -INFINITY;
    if (j < tokens) {
      score = 0.0f;
      const float* key = k + ((size_t)kv_head * tokens + j) * DIM;
      for (int e = 0; e < DIM; ++e) score += query[e] * key[e];
      score *= scale;
    }
    products[d] = score;
    __syncthreads();
    float new_top = top;
    for (int e = 0; e < DIM; ++e) new_top = fmaxf(new_top, products[e]);
    const float shrink = expf(top - new_top);
    sum *= shrink;
    acc *= shrink;
    const int here = min(DIM, tokens - first);
    for (int e = 0; e < here; ++e) {
      const float p = expf(products[e] - new_top);
      sum += p;
      acc += p * v[((size_t)kv_head * tokens + first + e) * DIM + d];
    }
    top = new_top;
    __syncthreads();
  }
  out[row + d] = acc / sum;
}
