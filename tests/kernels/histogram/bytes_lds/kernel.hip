// Counts of 256 byte values: a histogram a block in LDS, added to the output by atomics.
#include <hip/hip_runtime.h>

extern "C" __global__ void clear_counts(unsigned* counts) { counts[threadIdx.x] = 0; }

extern "C" __global__ void __launch_bounds__(256)
    bytes_lds(const unsigned char* __restrict__ x, unsigned* counts, int n) {
  __shared__ unsigned local[256];
  local[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += gridDim.x * 256) {
    atomicAdd(&local[x[i]], 1u);
  }
  __syncthreads();
  if (local[threadIdx.x] > 0) atomicAdd(&counts[threadIdx.x], local[threadIdx.x]);
}
