// y = gelu(x) in half precision, two elements a work-item, computed in float.
#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

__device__ float gelu(float x) {
  return 0.5f * x * (1.0f + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
}

extern "C" __global__ void __launch_bounds__(128)
    gelu_half2(const __half* __restrict__ x, __half* __restrict__ y, int n) {
  const int pair = blockIdx.x * blockDim.x + threadIdx.x;
  const int first = 2 * pair;
  if (first + 1 < n) {
    const float2 v = __half22float2(reinterpret_cast<const __half2*>(x)[pair]);
    reinterpret_cast<__half2*>(y)[pair] = __floats2half2_rn(gelu(v.x), gelu(v.y));
  } else if (first < n) {
    y[first] = __float2half(gelu(__half2float(x[first])));
  }
}
