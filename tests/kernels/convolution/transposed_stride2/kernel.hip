#include <hip/hip_runtime.h>

// Transposed convolution, 4x4 taps, stride 2, padding 1: doubles height and width.
extern "C" __global__ void __launch_bounds__(256)
    transposed(const float* x, const float* weight, float* y, int cin, int cout, int h, int w) {
  const int ox = blockIdx.x * 16 + threadIdx.x, oy = blockIdx.y * 16 + threadIdx.y;
  const int oc = blockIdx.z;
  if (ox >= 2 * w || oy >= 2 * h) return;
  float sum = 0.0f;
  for (int ky = (oy + 1) % 2; ky < 4; ky += 2) {
    const int iy = (oy + 1 - ky) / 2;
    if (oy + 1 < ky || iy >= h) continue;
    for (int kx = (ox + 1) % 2; kx < 4; kx += 2) {
      const int ix = (ox + 1 - kx) / 2;
      if (ox + 1 < kx || ix >= w) continue;
      for (int c = 0; c < cin; ++c)
        sum += x[((size_t)c * h + iy) * w + ix] *
               weight[(((size_t)c * cout + oc) * 4 + ky) * 4 + kx];
    }
  }
  y[((size_t)oc * 2 * h + oy) * 2 * w + ox] = sum;
}
