#include <hip/hip_runtime.h>

// Winograd F(2, 3) along rows of a sequence: four products make two outputs of a 3-tap filter.
extern "C" __global__ void __launch_bounds__(64)
    winograd(const float* x, const float* weight, float* y, int rows, int n) {
  const int pair = blockIdx.x * 64 + threadIdx.x, row = blockIdx.y, at = 2 * pair;
  if (at >= n) return;
  const float* in = x + (size_t)row * n;
  float d[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int from = at + i - 1;  // a border of one zero on both sides
    d[i] = from >= 0 && from < n ? in[from] : 0.0f;
  }
  const float g0 = weight[3 * row], g1 = weight[3 * row + 1], g2 = weight[3 * row + 2];
  const float m0 = (d[0] - d[2]) * g0;
  const float m1 = (d[1] + d[2]) * 0.5f * (g0 + g1 + g2);
  const float m2 = (d[2] - d[1]) * 0.5f * (g0 - g1 + g2);
  const float m3 = (d[1] - d[3]) * g2;
  y[(size_t)row * n + at] = m0 + m1 + m2;
  if (at + 1 < n) y[(size_t)row * n + at + 1] = m1 - m2 - m3;
}
