#include <hip/hip_runtime.h>

extern "C" __global__ void saxpy_f32(const float* __restrict__ x, const float* __restrict__ y,
                                     float* __restrict__ z, int n, float alpha) {
  const int first = (blockIdx.x * blockDim.x + threadIdx.x) * 8;
  for (int i = first; i < first + 8 && i < n; ++i) z[i] = alpha * x[i] + y[i];
}
