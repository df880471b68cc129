#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

#define THREADS 256
#define KEPT 8

template <typename T>
__device__ void softmax_rows(const T* x, T* y, int cols) {
  __shared__ float partial[THREADS];
  const T* in = x + (size_t)blockIdx.x * cols;
  T* out = y + (size_t)blockIdx.x * cols;
  const int t = threadIdx.x;
  float kept[KEPT];
  float largest = -INFINITY;
#pragma unroll
  for (int k = 0; k < KEPT; ++k) {
    const int c = k * THREADS + t;
    kept[k] = c < cols ? (float)in[c] : -INFINITY;
    largest = fmaxf(largest, kept[k]);
  }
  for (int c = KEPT * THREADS + t; c < cols; c += THREADS) largest = fmaxf(largest, (float)in[c]);
  partial[t] = largest;
  __syncthreads();
  for (int half = THREADS / 2; half > 0; half /= 2) {
    if (t < half) partial[t] = fmaxf(partial[t], partial[t + half]);
    __syncthreads();
  }
  largest = partial[0];
  __syncthreads();
  float sum = 0.0f;
#pragma unroll
  for (int k = 0; k < KEPT; ++k) {
    kept[k] = expf(kept[k] - largest);
    sum += kept[k];
  }
  for (int c = KEPT * THREADS + t; c < cols; c += THREADS) sum += expf((float)in[c] - largest);
  partial[t] = sum;
  __syncthreads();
  for (int half = THREADS / 2; half > 0; half /= 2) {
    if (t < half) partial[t] += partial[t + half];
    __syncthreads();
  }
  sum = partial[0];
#pragma unroll
  for (int k = 0; k < KEPT; ++k) {
    const int c = k * THREADS + t;
    if (c < cols) out[c] = (T)(kept[k] / sum);
  }
  for (int c = KEPT * THREADS + t; c < cols; c += THREADS)
    out[c] = (T)(expf((float)in[c] - largest) / sum);
}

extern "C" __global__ void row_softmax_f32(const float* x, float* y, int cols) {
  softmax_rows(x, y, cols);
}

extern "C" __global__ void row_softmax_f16(const __half* x, __half* y, int cols) {
  softmax_rows(x, y, cols);
}
