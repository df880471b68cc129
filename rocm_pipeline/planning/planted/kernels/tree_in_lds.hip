#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

#define THREADS 256

template <typename T>
__device__ void softmax_rows(const T* x, T* y, int cols) {
  __shared__ float partial[THREADS];
  const T* in = x + (size_t)blockIdx.x * cols;
  T* out = y + (size_t)blockIdx.x * cols;
  const int t = threadIdx.x;
  float largest = -INFINITY;
  for (int c = t; c < cols; c += THREADS) largest = fmaxf(largest, (float)in[c]);
  partial[t] = largest;
  __syncthreads();
  for (int half = THREADS / 2; half > 0; half /= 2) {
    if (t < half) partial[t] = fmaxf(partial[t], partial[t + half]);
    __syncthreads();
  }
  largest = partial[0];
  __syncthreads();
  float sum = 0.0f;
  for (int c = t; c < cols; c += THREADS) sum += expf((float)in[c] - largest);
  partial[t] = sum;
  __syncthreads();
  for (int half = THREADS / 2; half > 0; half /= 2) {
    if (t < half) partial[t] += partial[t + half];
    __syncthreads();
  }
  const float scale = 1.0f / partial[0];
  for (int c = t; c < cols; c += THREADS) out[c] = (T)(expf((float)in[c] - largest) * scale);
}

extern "C" __global__ void row_softmax_f32(const float* x, float* y, int cols) {
  softmax_rows(x, y, cols);
}

extern "C" __global__ void row_softmax_f16(const __half* x, __half* y, int cols) {
  softmax_rows(x, y, cols);
}
