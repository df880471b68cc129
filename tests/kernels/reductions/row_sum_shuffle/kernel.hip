// One block a row: each wave adds by shuffles, the first wave adds the waves' sums.
#include <hip/hip_runtime.h>

__device__ float wave_sum(float value) {
  for (int offset = warpSize / 2; offset > 0; offset /= 2) value += __shfl_down(value, offset);
  return value;
}

extern "C" __global__ void __launch_bounds__(256)
    row_sum_shuffle(const float* __restrict__ x, float* __restrict__ y, int cols) {
  __shared__ float parts[256 / 32];
  const float* row = x + (size_t)blockIdx.x * cols;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < cols; i += blockDim.x) sum += row[i];
  sum = wave_sum(sum);
  const int lane = threadIdx.x % warpSize, wave = threadIdx.x / warpSize;
  if (lane == 0) parts[wave] = sum;
  __syncthreads();
  if (wave == 0) {
    const int waves = blockDim.x / warpSize;
    sum = wave_sum(lane < waves ? parts[lane] : 0.0f);
    if (lane == 0) y[blockIdx.x] = sum;
  }
}
