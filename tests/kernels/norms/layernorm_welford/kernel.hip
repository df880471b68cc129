// Layer norm of each row with Welford's running mean and variance, joined over the block.
#include <hip/hip_runtime.h>

struct Moments {
  float mean, m2, count;
};

__device__ Moments joined(Moments a, Moments b) {
  const float count = a.count + b.count;
  if (count == 0.0f) return a;
  const float delta = b.mean - a.mean;
  return {a.mean + delta * b.count / count,
          a.m2 + b.m2 + delta * delta * a.count * b.count / count, count};
}

extern "C" __global__ void __launch_bounds__(128)
    layernorm_welford(const float* __restrict__ x, const float* __restrict__ gamma,
                      const float* __restrict__ beta, float* __restrict__ y, int cols,
                      float eps) {
  __shared__ Moments parts[128];
  const float* row = x + (size_t)blockIdx.x * cols;
  Moments mine = {0.0f, 0.0f, 0.0f};
  for (int i = threadIdx.x; i < cols; i += 128) {
    mine.count += 1.0f;
    const float delta = row[i] - mine.mean;
    mine.mean += delta / mine.count;
    mine.m2 += delta * (row[i] - mine.mean);
  }
  parts[threadIdx.x] = mine;
  for (int half = 64; half > 0; half /= 2) {
    __syncthreads();
    if ((int)threadIdx.x < half) {
      parts[threadIdx.x] = joined(parts[threadIdx.x], parts[threadIdx.x + half]);
    }
  }
  __syncthreads();
  const float mean = parts[0].mean, scale = rsqrtf(parts[0].m2 / (float)cols + eps);
  for (int i = threadIdx.x; i < cols; i += 128) {
    y[(size_t)blockIdx.x * cols + i] = (row[i] - mean) * scale * gamma[i] + beta[i];
  }
}
