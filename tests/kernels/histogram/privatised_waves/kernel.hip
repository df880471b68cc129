// Counts of 64 bins with a private row of LDS for each wave, against contention.
#include <hip/hip_runtime.h>

constexpr int kBins = 64;

extern "C" __global__ void __launch_bounds__(256)
    privatised_waves(const int* __restrict__ bin, int* __restrict__ counts, int n) {
  __shared__ int rows[256 / 32][kBins];
  const int waves = 256 / warpSize, wave = threadIdx.x / warpSize;
  for (int i = threadIdx.x; i < waves * kBins; i += 256) rows[i / kBins][i % kBins] = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += 256) atomicAdd(&rows[wave][bin[i]], 1);
  __syncthreads();
  if (threadIdx.x < kBins) {
    int sum = 0;
    for (int i = 0; i < waves; ++i) sum += rows[i][threadIdx.x];
    counts[threadIdx.x] = sum;
  }
}
