#include <hip/hip_runtime.h>

// Nearest upsampling by two and 3x3 convolution in one kernel: the large image is never stored.
extern "C" __global__ void __launch_bounds__(256)
    upsample_conv(const float* x, const float* weight, const float* bias, float* y, int cin,
                  int cout, int h, int w) {
  const int ox = blockIdx.x * 16 + threadIdx.x, oy = blockIdx.y * 16 + threadIdx.y;
  const int oc = blockIdx.z, big_h = 2 * h, big_w = 2 * w;
  if (ox >= big_w || oy >= big_h) return;
  float sum = bias[oc];
  for (int c = 0; c < cin; ++c)
    for (int dy = -1; dy <= 1; ++dy) {
      const int iy = oy + dy;
      if (iy < 0 || iy >= big_h) continue;
      for (int dx = -1; dx <= 1; ++dx) {
        const int ix = ox + dx;
        if (ix < 0 || ix >= big_w) continue;
        const float tap = weight[((size_t)oc * cin + c) * 9 + 3 * (dy + 1) + dx + 1];
        sum += tap * x[((size_t)c * h + iy / 2) * w + ix / 2];
      }
    }
  y[((size_t)oc * big_h + oy) * big_w + ox] = sum;
}
