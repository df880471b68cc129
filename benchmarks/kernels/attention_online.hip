// Attention of one head a block row: 64 queries a block, one work-item each, keys and values in
// tiles of 32 in LDS, softmax as it goes. The head's dimension is 64.
#include <hip/hip_runtime.h>

constexpr int queries = 64, keys = 32, dim = 64;

extern "C" __global__ void __launch_bounds__(queries)
    attention_online(const float* __restrict__ q, const float* __restrict__ k,
                     const float* __restrict__ v, float* __restrict__ out, int length) {
  __shared__ float key[keys][dim];
  __shared__ float value[keys][dim];
  const size_t head = (size_t)blockIdx.y * length * dim;
  const int row = blockIdx.x * queries + threadIdx.x;
  const bool used = row < length;
  float query[dim], sum[dim];
  for (int d = 0; d < dim; ++d) {
    query[d] = used ? q[head + (size_t)row * dim + d] * 0.125f : 0.0f;
    sum[d] = 0.0f;
  }
  float top = -INFINITY, weight = 0.0f;
  for (int first = 0; first < length; first += keys) {
    const int count = min(keys, length - first);
    for (int i = threadIdx.x; i < count * dim; i += queries) {
      key[i / dim][i % dim] = k[head + (size_t)first * dim + i];
      value[i / dim][i % dim] = v[head + (size_t)first * dim + i];
    }
    __syncthreads();
    for (int j = 0; j < count; ++j) {
      float score = 0.0f;
      for (int d = 0; d < dim; ++d) score += query[d] * key[j][d];
      const float higher = fmaxf(top, score);
      const float kept = expf(top - higher), part = expf(score - higher);
      weight = weight * kept + part;
      for (int d = 0; d < dim; ++d) sum[d] = sum[d] * kept + part * value[j][d];
      top = higher;
    }
    __syncthreads();
  }
  if (used)
    for (int d = 0; d < dim; ++d) out[head + (size_t)row * dim + d] = sum[d] / weight;
}
