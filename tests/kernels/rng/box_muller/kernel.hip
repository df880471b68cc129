// Normal numbers from pairs of random words, by Box and Muller.
#include <hip/hip_runtime.h>

extern "C" __global__ void __launch_bounds__(128)
    box_muller(const unsigned* __restrict__ words, float* __restrict__ y, int pairs) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= pairs) return;
  const uint2 word = reinterpret_cast<const uint2*>(words)[i];
  const float u = ((float)(word.x >> 8) + 1.0f) * 0x1p-24f;
  const float v = (float)(word.y >> 8) * 0x1p-24f;
  const float radius = sqrtf(-2.0f * logf(u));
  float sine, cosine;
  sincospif(2.0f * v, &sine, &cosine);
  reinterpret_cast<float2*>(y)[i] = make_float2(radius * cosine, radius * sine);
}
