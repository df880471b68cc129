#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

__device__ float largest_in_wave(float value) {
  for (int step = warpSize / 2; step > 0; step /= 2) value = fmaxf(value, __shfl_xor(value, step));
  return value;
}

__device__ float sum_in_wave(float value) {
  for (int step = warpSize / 2; step > 0; step /= 2) value += __shfl_xor(value, step);
  return value;
}

template <typename T>
__device__ void softmax_rows(const T* x, T* y, int cols) {
  const int lane = threadIdx.x;
  const size_t base = (size_t)blockIdx.x * cols;
  float largest = -INFINITY;
  for (int c = lane; c < cols; c += warpSize) largest = fmaxf(largest, (float)x[base + c]);
  largest = largest_in_wave(largest);
  float sum = 0.0f;
  for (int c = lane; c < cols; c += warpSize) sum += expf((float)x[base + c] - largest);
  sum = sum_in_wave(sum);
  for (int c = lane; c < cols; c += warpSize)
    y[base + c] = (T)(expf((float)x[base + c] - largest) / sum);
}

__device__ void softmax_fours(const float4* x, float4* y, int fours) {
  const int lane = threadIdx.x;
  const size_t base = (size_t)blockIdx.x * fours;
  float largest = -INFINITY;
  for (int c = lane; c < fours; c += warpSize) {
    const float4 v = x[base + c];
    largest = fmaxf(largest, fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w)));
  }
  largest = largest_in_wave(largest);
  float sum = 0.0f;
  for (int c = lane; c < fours; c += warpSize) {
    const float4 v = x[base + c];
    sum += (expf(v.x - largest) + expf(v.y - largest)) + (expf(v.z - largest) + expf(v.w - largest));
  }
  sum = sum_in_wave(sum);
  for (int c = lane; c < fours; c += warpSize) {
    float4 v = x[base + c];
    v.x = expf(v.x - largest) / sum;
    v.y = expf(v.y - largest) / sum;
    v.z = expf(v.z - largest) / sum;
    v.w = expf(v.w - largest) / sum;
    y[base + c] = v;
  }
}

extern "C" __global__ void row_softmax_f32(const float* x, float* y, int cols) {
  if (cols % 4 == 0)
    softmax_fours((const float4*)x, (float4*)y, cols / 4);
  else
    softmax_rows(x, y, cols);
}

extern "C" __global__ void row_softmax_f16(const __half* x, __half* y, int cols) {
  softmax_rows(x, y, cols);
}
