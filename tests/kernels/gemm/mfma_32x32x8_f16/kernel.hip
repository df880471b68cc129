#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

// C = A B by matrix instructions of CDNA: a wave of 64 makes a 32x32 tile, 8 deep a step.
// Waves of 32 have no such instruction and multiply element by element.
#define SIDE 32
#define DEPTH 8

__device__ __forceinline__ _Float16 bits_of(__half x) { return (_Float16)__half2float(x); }

extern "C" __global__ void
mfma_32x32x8_f16(const __half* a, const __half* b, float* c, int m, int n,
                 int k) {
  const int lane = threadIdx.x, row0 = blockIdx.y * SIDE, col0 = blockIdx.x * SIDE;
#if __AMDGCN_WAVEFRONT_SIZE__ == 64
  typedef _Float16 part __attribute__((ext_vector_type(4)));
  typedef float tile __attribute__((ext_vector_type(16)));
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
    acc = __builtin_amdgcn_mfma_f32_32x32x8f16(left, right, acc, 0, 0, 0);
  }
  for (int i = 0; i < 16; ++i) {
    const int r = row0 + 8 * (i / 4) + 4 * (lane / 32) + i % 4;
    if (r < m && col < n) c[(size_t)r * n + col] = acc[i];
  }
#else
  for (int i = lane; i < SIDE * SIDE; i += warpSize) {
    const int row = row0 + i / SIDE, col = col0 + i % SIDE;
    if (row >= m || col >= n) continue;
    float sum = 0.0f;
    for (int j = 0; j < k; ++j)
      sum += __half2float(a[(size_t)row * k + j]) * __half2float(b[(size_t)j * n + col]);
    c[(size_t)row * n + col] = sum;
  }
#endif
}
