#include <hip/hip_runtime.h>

// 7-point stencil in 3D: a block marches along z with the plane in LDS and its neighbours above
// and below in registers. Outside is zero.
#define BX 16
#define BY 8

extern "C" __global__ void __launch_bounds__(BX* BY)
    march(const float* x, float* y, int depth, int h, int w, float centre, float side) {
  __shared__ float plane[BY + 2][BX + 2];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int col = blockIdx.x * BX + tx, row = blockIdx.y * BY + ty;
  const bool inside = row < h && col < w;
  const size_t area = (size_t)h * w, at = (size_t)row * w + col;
  float below = 0.0f, here = inside ? x[at] : 0.0f;
  for (int z = 0; z < depth; ++z) {
    const float above = inside && z + 1 < depth ? x[(z + 1) * area + at] : 0.0f;
    plane[ty + 1][tx + 1] = here;
    if (ty == 0) plane[0][tx + 1] = row > 0 && row <= h && col < w ? x[z * area + at - w] : 0.0f;
    if (ty == BY - 1)
      plane[BY + 1][tx + 1] = row + 1 < h && col < w ? x[z * area + at + w] : 0.0f;
    if (tx == 0) plane[ty + 1][0] = col > 0 && col <= w && row < h ? x[z * area + at - 1] : 0.0f;
    if (tx == BX - 1)
      plane[ty + 1][BX + 1] = col + 1 < w && row < h ? x[z * area + at + 1] : 0.0f;
    __syncthreads();  // the plane is there
    if (inside)
      y[z * area + at] = centre * here + side * (below + above + plane[ty][tx + 1] +
                                                 plane[ty + 2][tx + 1] + plane[ty + 1][tx] +
                                                 plane[ty + 1][tx + 2]);
    __syncthreads();  // the plane may be overwritten
    below = here;
    here = above;
  }
}
