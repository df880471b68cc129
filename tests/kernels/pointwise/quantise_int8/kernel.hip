// q = clamp(round(x / scale), -128, 127), four bytes a store.
#include <hip/hip_runtime.h>

__device__ signed char quantised(float x, float scale) {
  return (signed char)fminf(fmaxf(rintf(x / scale), -128.0f), 127.0f);
}

extern "C" __global__ void __launch_bounds__(256)
    quantise_int8(const float* __restrict__ x, signed char* __restrict__ q, int n, float scale) {
  const int first = 4 * (blockIdx.x * 256 + threadIdx.x);
  if (first + 4 <= n) {
    const float4 v = *reinterpret_cast<const float4*>(x + first);
    char4 packed;
    packed.x = quantised(v.x, scale);
    packed.y = quantised(v.y, scale);
    packed.z = quantised(v.z, scale);
    packed.w = quantised(v.w, scale);
    *reinterpret_cast<char4*>(q + first) = packed;
  } else {
    for (int i = first; i < n; ++i) q[i] = quantised(x[i], scale);
  }
}
