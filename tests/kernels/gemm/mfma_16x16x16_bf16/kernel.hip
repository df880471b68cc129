#include <hip/hip_runtime.h>
#include <hip/hip_bf16.h>

// C = A B by matrix instructions of CDNA: a wave of 64 makes a 16x16 tile, 16 deep a step.
// Waves of 32 have no such instruction and multiply element by element.
#define SIDE 16
#define DEPTH 16

__device__ __forceinline__ short bits_of(__hip_bfloat16 x) { return __bfloat16_as_short(x); }

extern "C" __global__ void
mfma_16x16x16_bf16(const __hip_bfloat16* a, const __hip_bfloat16* b, float* c, int m, int n,
                   int k) {
  const int lane = threadIdx.x, row0 = blockIdx.y * SIDE, col0 = blockIdx.x * SIDE;
#if __AMDGCN_WAVEFRONT_SIZE__ == 64
  typedef short part __attribute__((ext_vector_type(4)));
  typedef float tile __attribute__((ext_vector_type(4)));
  const int line = lane % SIDE, deep = 4 * (lane / SIDE);  // lanes of one group share their k
  const int row = row0 + line, col = col0 + line;
  tile acc = {};
  for (int k0 = 0; k0 < k; k0 += DEPTH) {
    part left = {}, right = {};
    for (int i = 0; i < 4; ++i) {
      const int ka = k0 + deep + i, kb = k0 + deep + i;
      if (row < m && ka < k) left[i] = bits_of(a[(size_t)row * k + ka]);
      if (col < n && kb < k) right[i] = bits_of(b[(size_t)kb * n + col]);
    }
    acc = __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(left, right, acc, 0, 0, 0);
  }
  for (int i = 0; i < 4; ++i) {
    const int r = row0 + 4 * (lane / 16) + i;
    if (r < m && col < n) c[(size_t)r * n + col] = acc[i];
  }
#else
  for (int i = lane; i < SIDE * SIDE; i += warpSize) {
    const int row = row0 + i / SIDE, col = col0 + i % SIDE;
    if (row >= m || col >= n) continue;
    float sum = 0.0f;
    for (int j = 0; j < k; ++j)
      sum += __bfloat162float(a[(size_t)row * k + j]) * __bfloat162float(b[(size_t)j * n + col]);
    c[(size_t)row * n + col] = sum;
  }
#endif
}
