// Inclusive sum of each row of up to 256 floats: shuffles in the wave, then the waves' totals.
#include <hip/hip_runtime.h>

extern "C" __global__ void __launch_bounds__(256)
    wave_scan(const float* __restrict__ x, float* __restrict__ y, int cols) {
  __shared__ float totals[256 / 32];
  const int t = threadIdx.x, lane = t % warpSize, wave = t / warpSize;
  float sum = t < cols ? x[(size_t)blockIdx.x * cols + t] : 0.0f;
  for (int offset = 1; offset < warpSize; offset *= 2) {
    const float left = __shfl_up(sum, offset);
    if (lane >= offset) sum += left;
  }
  if (lane == warpSize - 1) totals[wave] = sum;
  __syncthreads();
  for (int i = 0; i < wave; ++i) sum += totals[i];
  if (t < cols) y[(size_t)blockIdx.x * cols + t] = sum;
}
