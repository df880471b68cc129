// NCHW to NHWC in half precision: a tile of 32 channels by 32 pixels in LDS.
#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

extern "C" __global__ void __launch_bounds__(256)
    nchw_to_nhwc_half(const __half* __restrict__ x, __half* __restrict__ y, int channels,
                      int pixels) {
  __shared__ __half tile[32][34];
  const size_t image = (size_t)blockIdx.z * channels * pixels;
  const int c0 = blockIdx.y * 32, p0 = blockIdx.x * 32;
  const int lane = threadIdx.x % 32, first = threadIdx.x / 32;
  for (int i = first; i < 32; i += 8) {
    if (c0 + i < channels && p0 + lane < pixels) {
      tile[i][lane] = x[image + (size_t)(c0 + i) * pixels + p0 + lane];
    }
  }
  __syncthreads();
  for (int i = first; i < 32; i += 8) {
    if (p0 + i < pixels && c0 + lane < channels) {
      y[image + (size_t)(p0 + i) * channels + c0 + lane] = tile[lane][i];
    }
  }
}
