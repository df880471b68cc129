// One xorshift stream a work-item, seeded by a hash of its number; each writes eight words.
#include <hip/hip_runtime.h>

__device__ unsigned hashed(unsigned x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

extern "C" __global__ void __launch_bounds__(64)
    xorshift_streams(unsigned* __restrict__ y, int streams, unsigned seed) {
  const int stream = blockIdx.x * 64 + threadIdx.x;
  if (stream >= streams) return;
  unsigned state = hashed(seed + stream) | 1u;
  for (int i = 0; i < 8; ++i) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    y[(size_t)i * streams + stream] = state;
  }
}
