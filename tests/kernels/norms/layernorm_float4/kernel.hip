// Layer norm of rows of a multiple of four, read as float4; the row stays in LDS.
#include <hip/hip_runtime.h>

constexpr int kMost = 1024;

extern "C" __global__ void __launch_bounds__(64)
    layernorm_float4(const float* __restrict__ x, const float* __restrict__ gamma,
                     const float* __restrict__ beta, float* __restrict__ y, int cols, float eps) {
  __shared__ float4 row[kMost / 4];
  __shared__ float parts[64];
  const float4* in = reinterpret_cast<const float4*>(x + (size_t)blockIdx.x * cols);
  const int quads = cols / 4;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < quads; i += 64) {
    const float4 v = in[i];
    row[i] = v;
    sum += v.x + v.y + v.z + v.w;
  }
  parts[threadIdx.x] = sum;
  __syncthreads();
  float mean = 0.0f;
  for (int i = 0; i < 64; ++i) mean += parts[i];
  mean /= (float)cols;
  __syncthreads();
  float squares = 0.0f;
  for (int i = threadIdx.x; i < quads; i += 64) {
    const float4 v = row[i] - make_float4(mean, mean, mean, mean);
    squares += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
  }
  parts[threadIdx.x] = squares;
  __syncthreads();
  float variance = 0.0f;
  for (int i = 0; i < 64; ++i) variance += parts[i];
  const float scale = rsqrtf(variance / (float)cols + eps);
  const float* flat = reinterpret_cast<const float*>(row);
  for (int i = threadIdx.x; i < cols; i += 64) {
    y[(size_t)blockIdx.x * cols + i] = (flat[i] - mean) * scale * gamma[i] + beta[i];
  }
}
