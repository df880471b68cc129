#include <hip/hip_runtime.h>

// Mean of each segment of sorted values, one block a segment; empty segments give zero.
extern "C" __global__ void __launch_bounds__(64)
    segment_mean(const float* x, const int* offsets, float* y) {
  __shared__ float parts[64];
  const int t = threadIdx.x, begin = offsets[blockIdx.x], end = offsets[blockIdx.x + 1];
  float sum = 0.0f;
  for (int i = begin + t; i < end; i += 64) sum += x[i];
  parts[t] = sum;
  __syncthreads();
  for (int half = 32; half > 0; half /= 2) {
    if (t < half) parts[t] += parts[t + half];
    __syncthreads();
  }
  if (t == 0) y[blockIdx.x] = end > begin ? parts[0] / (float)(end - begin) : 0.0f;
}
