#include <hip/hip_runtime.h>

// Red-black Gauss-Seidel in place: one launch for each colour reads the other colour only.
__device__ __forceinline__ void relax(float* u, const float* f, int h, int w, int colour) {
  const int col = blockIdx.x * 32 + threadIdx.x, row = blockIdx.y * 8 + threadIdx.y;
  if (row < 1 || col < 1 || row >= h - 1 || col >= w - 1) return;
  if ((row + col) % 2 != colour) return;
  const size_t at = (size_t)row * w + col;
  u[at] = 0.25f * (u[at - w] + u[at + w] + u[at - 1] + u[at + 1] - f[at]);
}

extern "C" __global__ void relax_red(float* u, const float* f, int h, int w) {
  relax(u, f, h, w, 0);
}

extern "C" __global__ void relax_black(float* u, const float* f, int h, int w) {
  relax(u, f, h, w, 1);
}
