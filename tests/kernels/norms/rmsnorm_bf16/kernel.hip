// RMS norm of each row in bfloat16, one wave a row, added in float.
#include <hip/hip_runtime.h>
#include <hip/hip_bf16.h>

extern "C" __global__ void __launch_bounds__(256)
    rmsnorm_bf16(const __hip_bfloat16* __restrict__ x, const __hip_bfloat16* __restrict__ weight,
                 __hip_bfloat16* __restrict__ y, int rows, int cols, float eps) {
  const int lane = threadIdx.x % warpSize;
  const int row = blockIdx.x * (blockDim.x / warpSize) + threadIdx.x / warpSize;
  if (row >= rows) return;
  const __hip_bfloat16* in = x + (size_t)row * cols;
  float squares = 0.0f;
  for (int i = lane; i < cols; i += warpSize) {
    const float v = __bfloat162float(in[i]);
    squares += v * v;
  }
  for (int offset = warpSize / 2; offset > 0; offset /= 2) {
    squares += __shfl_xor(squares, offset);
  }
  const float scale = rsqrtf(squares / (float)cols + eps);
  for (int i = lane; i < cols; i += warpSize) {
    y[(size_t)row * cols + i] =
        __float2bfloat16(__bfloat162float(in[i]) * scale * __bfloat162float(weight[i]));
  }
}
