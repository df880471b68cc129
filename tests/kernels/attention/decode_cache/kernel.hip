#include <hip/hip_runtime.h>

// Decoding step: one new query for each sequence over a cache that is filled to its own length.
#define DIM 32
#define THREADS 64

extern "C" __global__ void __launch_bounds__(THREADS)
    decode(const float* q, const float* k_cache, const float* v_cache, const int* lengths,
           float* out, int room, float scale) {
  extern __shared__ float weights[];  // one for each slot of the cache
  __shared__ float parts[THREADS];
  const int t = threadIdx.x, length = lengths[blockIdx.x];
  const size_t base = (size_t)blockIdx.x * room * DIM;
  const float* query = q + (size_t)blockIdx.x * DIM;
  float top = -INFINITY;
  for (int j = t; j < length; j += THREADS) {
    float score = 0.0f;
    for (int d = 0; d < DIM; ++d) score += query[d] * k_cache[base + (size_t)j * DIM + d];
    weights[j] = scale * score;
    top = fmaxf(top, weights[j]);
  }
  parts[t] = top;
  __syncthreads();
  for (int i = 0; i < THREADS; ++i) top = fmaxf(top, parts[i]);
  __syncthreads();
  float sum = 0.0f;
  for (int j = t; j < length; j += THREADS) sum += weights[j] = expf(weights[j] - top);
  parts[t] = sum;
  __syncthreads();
  sum = 0.0f;
  for (int i = 0; i < THREADS; ++i) sum += parts[i];
  for (int d = t; d < DIM; d += THREADS) {
    float value = 0.0f;
    for (int j = 0; j < length; ++j) value += weights[j] * v_cache[base + (size_t)j * DIM + d];
    out[(size_t)blockIdx.x * DIM + d] = value / sum;
  }
}
