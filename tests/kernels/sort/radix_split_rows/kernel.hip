// Sorts each row of up to 256 unsigned numbers by 16 stable splits, bit by bit, with ballots.
#include <hip/hip_runtime.h>

constexpr int kThreads = 256;

extern "C" __global__ void __launch_bounds__(kThreads)
    radix_split_rows(const unsigned* __restrict__ x, unsigned* __restrict__ y, int cols) {
  __shared__ unsigned keys[kThreads];
  __shared__ int totals[kThreads / 32];
  const int t = threadIdx.x, lane = t % warpSize, wave = t / warpSize;
  unsigned key = t < cols ? x[(size_t)blockIdx.x * cols + t] : 0xffffffffu;
  for (int bit = 0; bit < 16; ++bit) {
    const int one = (key >> bit) & 1;
    const unsigned long long votes = __ballot(one), lower = (1ull << lane) - 1;
    if (lane == 0) totals[wave] = __popcll(votes);
    __syncthreads();
    int before = __popcll(votes & lower), ones = 0;
    for (int i = 0; i < kThreads / warpSize; ++i) {
      if (i < wave) before += totals[i];
      ones += totals[i];
    }
    keys[one ? kThreads - ones + before : t - before] = key;
    __syncthreads();
    key = keys[t];
  }
  if (t < cols) y[(size_t)blockIdx.x * cols + t] = key;
}
