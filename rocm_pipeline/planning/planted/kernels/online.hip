#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

#define THREADS 128

template <typename T>
__device__ void softmax_rows(const T* x, T* y, int cols) {
  __shared__ float tops[THREADS];
  __shared__ float sums[THREADS];
  const T* in = x + (size_t)blockIdx.x * cols;
  T* out = y + (size_t)blockIdx.x * cols;
  const int t = threadIdx.x;
  float top = -INFINITY, sum = 0.0f;
  for (int c = t; c < cols; c += THREADS) {
    const float value = (float)in[c];
    const float higher = fmaxf(top, value);
    sum = sum * expf(top - higher) + expf(value - higher);
    top = higher;
  }
  tops[t] = top;
  sums[t] = sum;
  __syncthreads();
  for (int half = THREADS / 2; half > 0; half /= 2) {
    if (t < half && t + half < cols) {
      const float higher = fmaxf(tops[t], tops[t + half]);
      sums[t] = sums[t] * expf(tops[t] - higher) + sums[t + half] * expf(tops[t + half] - higher);
      tops[t] = higher;
    }
    __syncthreads();
  }
  top = tops[0];
  sum = sums[0];
  for (int c = t; c < cols; c += THREADS) out[c] = (T)(expf((float)in[c] - top) / sum);
}

extern "C" __global__ void row_softmax_f32(const float* x, float* y, int cols) {
  softmax_rows(x, y, cols);
}

extern "C" __global__ void row_softmax_f16(const __half* x, __half* y, int cols) {
  softmax_rows(x, y, cols);
}
