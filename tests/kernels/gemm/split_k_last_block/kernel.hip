#include <hip/hip_runtime.h>

// C = A B with the k axis shared out over blockIdx.z; the block that finishes a tile last adds the
// partial products of all, in their order, so that the sum does not depend on the timing.
#define TILE 16
#define CHUNK 24

extern "C" __global__ void clear(unsigned* done, int m, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < ((m + TILE - 1) / TILE) * ((n + TILE - 1) / TILE)) done[i] = 0;
}

extern "C" __global__ void __launch_bounds__(TILE* TILE)
    gemm_last(const float* a, const float* b, float* c, float* partial, unsigned* done, int m,
              int n, int k) {
  __shared__ unsigned ticket;
  const int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
  const bool inside = row < m && col < n;
  const bool first_thread = threadIdx.x == 0 && threadIdx.y == 0;
  const int begin = blockIdx.z * CHUNK, end = min(begin + CHUNK, k);
  const size_t at = (size_t)row * n + col, area = (size_t)m * n;
  if (inside) {
    float sum = 0.0f;
    for (int i = begin; i < end; ++i) sum += a[(size_t)row * k + i] * b[(size_t)i * n + col];
    partial[blockIdx.z * area + at] = sum;
  }
  __threadfence();  // the part is seen before the ticket is
  __syncthreads();
  if (first_thread) ticket = atomicAdd(&done[blockIdx.y * gridDim.x + blockIdx.x], 1u);
  __syncthreads();
  if (ticket != gridDim.z - 1) return;
  __threadfence();  // the tickets of the others were seen, so their parts are
  if (!inside) return;
  float total = 0.0f;
  for (unsigned part = 0; part < gridDim.z; ++part) total += partial[part * area + at];
  c[at] = total;
}
