// Softmax of each row in two passes: maximum and sum are found together.
#include <hip/hip_runtime.h>

struct Partial {
  float top, sum;
};

__device__ Partial joined(Partial a, Partial b) {
  const float top = fmaxf(a.top, b.top);
  if (top == -INFINITY) return a;
  return {top, a.sum * expf(a.top - top) + b.sum * expf(b.top - top)};
}

extern "C" __global__ void __launch_bounds__(128)
    softmax_online(const float* __restrict__ x, float* __restrict__ y, int cols) {
  __shared__ Partial parts[128];
  const float* row = x + (size_t)blockIdx.x * cols;
  Partial mine = {-INFINITY, 0.0f};
  for (int i = threadIdx.x; i < cols; i += 128) {
    const float top = fmaxf(mine.top, row[i]);
    mine.sum = mine.sum * expf(mine.top - top) + expf(row[i] - top);
    mine.top = top;
  }
  parts[threadIdx.x] = mine;
  __syncthreads();
  for (unsigned half = 64; half > 0; half /= 2) {
    if (threadIdx.x < half) {
      parts[threadIdx.x] = joined(parts[threadIdx.x], parts[threadIdx.x + half]);
    }
    __syncthreads();
  }
  const Partial all = parts[0];
  for (int i = threadIdx.x; i < cols; i += 128) {
    y[(size_t)blockIdx.x * cols + i] = expf(row[i] - all.top) / all.sum;
  }
}
