#include <hip/hip_runtime.h>

// Depthwise 3x3 convolution: a 16x16 tile and its border of one in LDS.
#define TILE 16
#define SIDE (TILE + 2)

extern "C" __global__ void __launch_bounds__(TILE* TILE)
    depthwise(const float* x, const float* weight, float* y, int channels, int h, int w) {
  __shared__ float tile[SIDE][SIDE + 1];
  const int c = blockIdx.z;
  const float* plane = x + (size_t)c * h * w;
  const int top = blockIdx.y * TILE - 1, left = blockIdx.x * TILE - 1;
  for (int i = threadIdx.y * TILE + threadIdx.x; i < SIDE * SIDE; i += TILE * TILE) {
    const int ty = i / SIDE, tx = i % SIDE, iy = top + ty, ix = left + tx;
    const bool inside = iy >= 0 && iy < h && ix >= 0 && ix < w;
    tile[ty][tx] = inside ? plane[(size_t)iy * w + ix] : 0.0f;
  }
  __syncthreads();
  const int oy = blockIdx.y * TILE + threadIdx.y, ox = blockIdx.x * TILE + threadIdx.x;
  if (oy >= h || ox >= w) return;
  float sum = 0.0f;
#pragma unroll
  for (int dy = 0; dy < 3; ++dy)
#pragma unroll
    for (int dx = 0; dx < 3; ++dx)
      sum += tile[threadIdx.y + dy][threadIdx.x + dx] * weight[9 * c + 3 * dy + dx];
  y[((size_t)c * h + oy) * w + ox] = sum;
}
