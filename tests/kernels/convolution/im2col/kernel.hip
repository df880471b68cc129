#include <hip/hip_runtime.h>

// 3x3 convolution as a matrix product: patches are written out, then multiplied by the weights.
extern "C" __global__ void im2col(const float* x, float* patches, int batch, int cin, int h,
                                  int w) {
  const size_t at = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= (size_t)batch * cin * 9 * h * w) return;
  const int ox = at % w, oy = at / w % h;
  const size_t rest = at / ((size_t)w * h);
  const int tap = rest % 9, c = rest / 9 % cin, b = rest / (9 * (size_t)cin);
  const int iy = oy + tap / 3 - 1, ix = ox + tap % 3 - 1;
  const bool inside = iy >= 0 && iy < h && ix >= 0 && ix < w;
  patches[at] = inside ? x[(((size_t)b * cin + c) * h + iy) * w + ix] : 0.0f;
}

extern "C" __global__ void __launch_bounds__(64)
    multiply(const float* weight, const float* patches, float* y, int cin, int cout, int h, int w) {
  const int pixel = blockIdx.x * 64 + threadIdx.x, oc = blockIdx.y, b = blockIdx.z;
  const int depth = 9 * cin, pixels = h * w;
  if (pixel >= pixels) return;
  const float* column = patches + (size_t)b * depth * pixels + pixel;
  float sum = 0.0f;
  for (int i = 0; i < depth; ++i)
    sum += weight[(size_t)oc * depth + i] * column[(size_t)i * pixels];
  y[((size_t)b * cout + oc) * pixels + pixel] = sum;
}
