#include <hip/hip_runtime.h>

// One block a query: each thread walks its share of the keys with an online softmax, then the
// block merges the partial maxima, sums and outputs.
#define THREADS 64
#define DIM 32

extern "C" __global__ void __launch_bounds__(THREADS)
    attention_online(const float* q, const float* k, const float* v, float* out, int keys,
                     float scale) {
  __shared__ float tops[THREADS];
  __shared__ float sums[THREADS];
  __shared__ float parts[THREADS][DIM + 1];
  const int t = threadIdx.x;
  const float* query = q + (size_t)blockIdx.x * DIM;
  float top = -INFINITY, sum = 0.0f, acc[DIM];
#pragma unroll
  for (int d = 0; d < DIM; ++d) acc[d] = 0.0f;
  for (int j = t; j < keys; j += THREADS) {
    float score = 0.0f;
#pragma unroll
    for (int d = 0; d < DIM; ++d) score += query[d] * k[(size_t)j * DIM + d];
    score *= scale;
    const float new_top = fmaxf(top, score);
    const float shrink = expf(top - new_top), p = expf(score - new_top);
    sum = sum * shrink + p;
#pragma unroll
    for (int d = 0; d < DIM; ++d) acc[d] = acc[d] * shrink + p * v[(size_t)j * DIM + d];
    top = new_top;
  }
  tops[t] = top;
  sums[t] = sum;
#pragma unroll
  for (int d = 0; d < DIM; ++d) parts[t][d] = acc[d];
  __syncthreads();
  if (t < DIM) {
    float block_top = -INFINITY, total = 0.0f, value = 0.0f;
    for (int i = 0; i < THREADS; ++i) block_top = fmaxf(block_top, tops[i]);
    for (int i = 0; i < THREADS; ++i) {
      const float weight = tops[i] == -INFINITY ? 0.0f : expf(tops[i] - block_top);
      total += sums[i] * weight;
      value += parts[i][t] * weight;
    }
    out[(size_t)blockIdx.x * DIM + t] = value / total;
  }
}
