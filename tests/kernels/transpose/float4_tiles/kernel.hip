// Transposes matrices of multiples of four: each work-item turns 4 x 4 elements in registers.
#include <hip/hip_runtime.h>

extern "C" __global__ void __launch_bounds__(64)
    float4_tiles(const float* __restrict__ x, float* __restrict__ y, int rows, int cols) {
  const int col = 4 * (blockIdx.x * 8 + threadIdx.x), row = 4 * (blockIdx.y * 8 + threadIdx.y);
  if (row >= rows || col >= cols) return;
  float4 in[4];
  for (int i = 0; i < 4; ++i) {
    in[i] = *reinterpret_cast<const float4*>(x + (size_t)(row + i) * cols + col);
  }
  float4* out = reinterpret_cast<float4*>(y + (size_t)col * rows + row);
  const int stride = rows / 4;
  out[0] = make_float4(in[0].x, in[1].x, in[2].x, in[3].x);
  out[stride] = make_float4(in[0].y, in[1].y, in[2].y, in[3].y);
  out[2 * stride] = make_float4(in[0].z, in[1].z, in[2].z, in[3].z);
  out[3 * stride] = make_float4(in[0].w, in[1].w, in[2].w, in[3].w);
}
