// y = alpha * x + y, four elements a work-item, the tail one by one.
#include <hip/hip_runtime.h>

extern "C" __global__ void __launch_bounds__(256)
    saxpy_float4(const float* __restrict__ x, float* __restrict__ y, int n, float alpha) {
  const int first = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (first + 3 < n) {
    const float4 a = *reinterpret_cast<const float4*>(x + first);
    float4 b = *reinterpret_cast<float4*>(y + first);
    b.x = fmaf(alpha, a.x, b.x);
    b.y = fmaf(alpha, a.y, b.y);
    b.z = fmaf(alpha, a.z, b.z);
    b.w = fmaf(alpha, a.w, b.w);
    *reinterpret_cast<float4*>(y + first) = b;
  } else {
    for (int i = first; i < n; ++i) y[i] = fmaf(alpha, x[i], y[i]);
  }
}
