#include <hip/hip_runtime.h>

// 3x3 convolution with a border of zeros, NCHW, one thread an output.
extern "C" __global__ void __launch_bounds__(256)
    conv3x3(const float* x, const float* weight, float* y, int batch, int cin, int cout, int h,
            int w) {
  const size_t at = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= (size_t)batch * cout * h * w) return;
  const int ox = at % w, oy = at / w % h, oc = at / ((size_t)w * h) % cout;
  const int b = at / ((size_t)w * h * cout);
  float sum = 0.0f;
  for (int c = 0; c < cin; ++c) {
    const float* plane = x + ((size_t)b * cin + c) * h * w;
    const float* taps = weight + ((size_t)oc * cin + c) * 9;
    for (int dy = 0; dy < 3; ++dy) {
      const int iy = oy + dy - 1;
      if (iy < 0 || iy >= h) continue;
      for (int dx = 0; dx < 3; ++dx) {
        const int ix = ox + dx - 1;
        if (ix < 0 || ix >= w) continue;
        sum += plane[(size_t)iy * w + ix] * taps[3 * dy + dx];
      }
    }
  }
  y[at] = sum;
}
