#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

// C = A B by the matrix instruction of RDNA 3: a wave of 32 makes a 16x16 tile.
// Waves of 64 multiply element by element.
typedef _Float16 part __attribute__((ext_vector_type(16)));
typedef float tile __attribute__((ext_vector_type(8)));

__device__ __forceinline__ _Float16 bits_of(__half x) { return (_Float16)__half2float(x); }

extern "C" __global__ void
wmma_gfx11_f16(const __half* a, const __half* b, float* c, int m, int n, int k) {
  const int lane = threadIdx.x, row0 = blockIdx.y * 16, col0 = blockIdx.x * 16;
#if __AMDGCN_WAVEFRONT_SIZE__ == 32
  const int row = row0 + lane % 16, col = col0 + lane % 16;
  tile acc = {};
  for (int k0 = 0; k0 < k; k0 += 16) {
    part left = {}, right = {};
    for (int i = 0; i < 16; ++i) {
      const int kk = k0 + i;
      if (row < m && kk < k) left[i] = bits_of(a[(size_t)row * k + kk]);
      if (col < n && kk < k) right[i] = bits_of(b[(size_t)kk * n + col]);
    }
    acc = __builtin_amdgcn_wmma_f32_16x16x16_f16_w32(left, right, acc);
  }
  for (int i = 0; i < 8; ++i) {
    const int r = row0 + 2 * i + lane / 16;
    if (r < m && col < n) c[(size_t)r * n + col] = acc[i];
  }
#else
  for (int i = lane; i < 256; i += warpSize) {
    const int row = row0 + i / 16, col = col0 + i % 16;
    if (row >= m || col >= n) continue;
    float sum = 0.0f;
    for (int j = 0; j < k; ++j)
      sum += __half2float(a[(size_t)row * k + j]) * __half2float(b[(size_t)j * n + col]);
    c[(size_t)row * n + col] = sum;
  }
#endif
}
