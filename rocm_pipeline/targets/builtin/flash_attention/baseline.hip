// One work-item per query with an online softmax: what a first version looks like.
#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

template <typename T, int D>
__device__ void attend(const T* q, const T* k, const T* v, T* o, int seq, int causal,
                       float scale) {
  const int query = blockIdx.x * blockDim.x + threadIdx.x;
  if (query >= seq) return;
  const size_t head = (size_t)blockIdx.y * seq * D;
  const T* mine = q + head + (size_t)query * D;
  float sum[D];
  for (int d = 0; d < D; ++d) sum[d] = 0.0f;
  float largest = -INFINITY;
  float total = 0.0f;
  const int last = causal ? query + 1 : seq;
  for (int key = 0; key < last; ++key) {
    const T* k_row = k + head + (size_t)key * D;
    const T* v_row = v + head + (size_t)key * D;
    float score = 0.0f;
    for (int d = 0; d < D; ++d) score += (float)mine[d] * (float)k_row[d];
    score *= scale;
    const float next = fmaxf(largest, score);
    const float keep = expf(largest - next);
    const float weight = expf(score - next);
    total = total * keep + weight;
    for (int d = 0; d < D; ++d) sum[d] = sum[d] * keep + weight * (float)v_row[d];
    largest = next;
  }
  T* out = o + head + (size_t)query * D;
  for (int d = 0; d < D; ++d) out[d] = (T)(sum[d] / total);
}

template <typename T>
__device__ void attend_any(const T* q, const T* k, const T* v, T* o, int seq, int head_dim,
                           int causal, float scale) {
  if (head_dim == 32) attend<T, 32>(q, k, v, o, seq, causal, scale);
  if (head_dim == 64) attend<T, 64>(q, k, v, o, seq, causal, scale);
  if (head_dim == 128) attend<T, 128>(q, k, v, o, seq, causal, scale);
}

extern "C" __global__ void __launch_bounds__(64)
    flash_attention_f32(const float* q, const float* k, const float* v, float* o, int seq,
                        int head_dim, int causal, float scale) {
  attend_any(q, k, v, o, seq, head_dim, causal, scale);
}

extern "C" __global__ void __launch_bounds__(64)
    flash_attention_f16(const __half* q, const __half* k, const __half* v, __half* o, int seq,
                        int head_dim, int causal, float scale) {
  attend_any(q, k, v, o, seq, head_dim, causal, scale);
}
