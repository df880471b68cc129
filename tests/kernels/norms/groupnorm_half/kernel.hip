// Group norm of half-precision images: one block a group of channels, added in float.
#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

__device__ float2 block_sums(float2 value, float2* parts) {
  parts[threadIdx.x] = value;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if ((int)threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
    __syncthreads();
  }
  return parts[0];
}

extern "C" __global__ void __launch_bounds__(256)
    groupnorm_half(const __half* __restrict__ x, const float* __restrict__ gamma,
                   const float* __restrict__ beta, __half* __restrict__ y, int channels,
                   int pixels, int groups, float eps) {
  __shared__ float2 parts[256];
  const int group = blockIdx.x % groups, size = channels / groups * pixels;
  const size_t begin = (size_t)blockIdx.x * size;
  float2 sums = make_float2(0.0f, 0.0f);
  for (int i = threadIdx.x; i < size; i += 256) {
    const float v = __half2float(x[begin + i]);
    sums += make_float2(v, v * v);
  }
  sums = block_sums(sums, parts);
  const float mean = sums.x / (float)size;
  const float scale = rsqrtf(sums.y / (float)size - mean * mean + eps);
  for (int i = threadIdx.x; i < size; i += 256) {
    const int channel = group * (channels / groups) + i / pixels;
    y[begin + i] = __float2half((__half2float(x[begin + i]) - mean) * scale * gamma[channel] +
                                beta[channel]);
  }
}
