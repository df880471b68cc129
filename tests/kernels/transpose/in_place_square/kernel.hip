// Transposes a square matrix in place: pairs of 16 x 16 tiles change places through LDS.
#include <hip/hip_runtime.h>

constexpr int kTile = 16;

extern "C" __global__ void __launch_bounds__(kTile * kTile)
    in_place_square(float* x, int n) {
  __shared__ float upper[kTile][kTile + 1];
  __shared__ float lower[kTile][kTile + 1];
  if (blockIdx.x < blockIdx.y) return;
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int col = blockIdx.x * kTile, row = blockIdx.y * kTile;
  const bool has_upper = row + ty < n && col + tx < n;
  const bool has_lower = col + ty < n && row + tx < n;
  if (has_upper) upper[ty][tx] = x[(size_t)(row + ty) * n + col + tx];
  if (has_lower) lower[ty][tx] = x[(size_t)(col + ty) * n + row + tx];
  __syncthreads();
  if (has_lower) x[(size_t)(col + ty) * n + row + tx] = upper[tx][ty];
  if (has_upper && blockIdx.x != blockIdx.y) x[(size_t)(row + ty) * n + col + tx] = lower[tx][ty];
}
