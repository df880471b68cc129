// Random words by Philox 4x32-10: four words a counter, exact.
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
    philox_4x32(const unsigned* __restrict__ key, unsigned* __restrict__ y, int n) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (4 * i >= n) return;
  const uint4 words = philox(make_uint4(i, 0, 0, 0), key[0], key[1]);
  const unsigned all[4] = {words.x, words.y, words.z, words.w};
  for (int j = 0; j < 4 && 4 * i + j < n; ++j) y[4 * i + j] = all[j];
}
