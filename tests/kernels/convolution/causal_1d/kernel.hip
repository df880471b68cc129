#include <hip/hip_runtime.h>

// Causal dilated convolution of a sequence with SiLU, [batch, time, channels], four taps.
#define TAPS 4

extern "C" __global__ void __launch_bounds__(64)
    causal_conv(const float* x, const float* weight, float* y, int time, int channels,
                int dilation) {
  const int c = blockIdx.x * 64 + threadIdx.x, t = blockIdx.y;
  if (c >= channels) return;
  const float* sequence = x + (size_t)blockIdx.z * time * channels;
  float sum = 0.0f;
#pragma unroll
  for (int tap = 0; tap < TAPS; ++tap) {
    const int from = t - (TAPS - 1 - tap) * dilation;
    if (from >= 0) sum += weight[c * TAPS + tap] * sequence[(size_t)from * channels + c];
  }
  y[((size_t)blockIdx.z * time + t) * channels + c] = sum / (1.0f + expf(-sum));
}
