#include <hip/hip_runtime.h>

// Attention in three launches: scores, softmax of each row, weights times V.
extern "C" __global__ void scores(const float* q, const float* k, float* s, int queries, int keys,
                                  int dim, float scale) {
  const int j = blockIdx.x * 16 + threadIdx.x, i = blockIdx.y * 16 + threadIdx.y;
  const int head = blockIdx.z;
  if (i >= queries || j >= keys) return;
  const float* query = q + ((size_t)head * queries + i) * dim;
  const float* key = k + ((size_t)head * keys + j) * dim;
  float sum = 0.0f;
  for (int d = 0; d < dim; ++d) sum += query[d] * key[d];
  s[((size_t)head * queries + i) * keys + j] = scale * sum;
}

extern "C" __global__ void __launch_bounds__(64) softmax_rows(float* s, int keys) {
  __shared__ float parts[64];
  float* row = s + (size_t)blockIdx.x * keys;
  const int t = threadIdx.x;
  float top = -INFINITY;
  for (int j = t; j < keys; j += 64) top = fmaxf(top, row[j]);
  parts[t] = top;
  __syncthreads();
  for (int half = 32; half > 0; half /= 2) {
    if (t < half) parts[t] = fmaxf(parts[t], parts[t + half]);
    __syncthreads();
  }
  top = parts[0];
  __syncthreads();  // parts is used again
  float sum = 0.0f;
  for (int j = t; j < keys; j += 64) sum += row[j] = expf(row[j] - top);
  parts[t] = sum;
  __syncthreads();
  for (int half = 32; half > 0; half /= 2) {
    if (t < half) parts[t] += parts[t + half];
    __syncthreads();
  }
  for (int j = t; j < keys; j += 64) row[j] /= parts[0];
}

extern "C" __global__ void weighted(const float* s, const float* v, float* out, int queries,
                                    int keys, int dim) {
  const int d = blockIdx.x * 64 + threadIdx.x, i = blockIdx.y, head = blockIdx.z;
  if (d >= dim) return;
  const float* row = s + ((size_t)head * queries + i) * keys;
  float sum = 0.0f;
  for (int j = 0; j < keys; ++j) sum += row[j] * v[((size_t)head * keys + j) * dim + d];
  out[((size_t)head * queries + i) * dim + d] = sum;
}
