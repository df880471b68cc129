// Dropout with a mask by Philox, which needs no memory of its own; four elements a work-item.
#include <hip/hip_runtime.h>

__device__ uint4 philox(uint4 c, unsigned key0, unsigned key1) {
  for (int round = 0; round < 10; ++round) {
    const unsigned high0 = __umulhi(0xD2511F53u, c.x), low0 = 0xD2511F53u * c.x;
    const unsigned high1 = __umulhi(0xCD9E8D57u, c.z), low1 = 0xCD9E8D57u * c.z;
    c = make_uint4(high1 ^ c.y ^ key0, low1, high0 ^ c.w ^ key1, low0);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

extern "C" __global__ void __launch_bounds__(128)
    dropout_philox(const float* __restrict__ x, float* __restrict__ y, int n, unsigned seed,
                   float keep) {
  const int first = 4 * (blockIdx.x * 128 + threadIdx.x);
  if (first >= n) return;
  const uint4 words = philox(make_uint4(first / 4, 0, 0, 0), seed, 0);
  const unsigned all[4] = {words.x, words.y, words.z, words.w};
  for (int j = 0; j < 4 && first + j < n; ++j) {
    const float uniform = (float)(all[j] >> 8) * 0x1p-24f;
    y[first + j] = uniform < keep ? x[first + j] / keep : 0.0f;
  }
}
