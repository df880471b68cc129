#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

template <typename T>
__device__ void find_scale(const T* x, float* largest_of, float* sum_of, int cols) {
  const int lane = threadIdx.x;
  const size_t base = (size_t)blockIdx.x * cols;
  float largest = -INFINITY;
  for (int c = lane; c < cols; c += warpSize) largest = fmaxf(largest, (float)x[base + c]);
  for (int step = warpSize / 2; step > 0; step /= 2)
    largest = fmaxf(largest, __shfl_xor(largest, step));
  float sum = 0.0f;
  for (int c = lane; c < cols; c += warpSize) sum += expf((float)x[base + c] - largest);
  for (int step = warpSize / 2; step > 0; step /= 2) sum += __shfl_xor(sum, step);
  if (lane == 0) {
    largest_of[blockIdx.x] = largest;
    sum_of[blockIdx.x] = sum;
  }
}

template <typename T>
__device__ void apply_scale(const T* x, const float* largest_of, const float* sum_of, T* y,
                            int cols) {
  const int row = blockIdx.x;
  const size_t base = (size_t)row * cols;
  for (int c = threadIdx.x; c < cols; c += blockDim.x)
    y[base + c] = (T)(expf((float)x[base + c] - largest_of[row]) / sum_of[row]);
}

extern "C" __global__ void find_f32(const float* x, float* largest_of, float* sum_of, int cols) {
  find_scale(x, largest_of, sum_of, cols);
}

extern "C" __global__ void apply_f32(const float* x, const float* largest_of, const float* sum_of,
                                     float* y, int cols) {
  apply_scale(x, largest_of, sum_of, y, cols);
}

extern "C" __global__ void find_f16(const __half* x, float* largest_of, float* sum_of, int cols) {
  find_scale(x, largest_of, sum_of, cols);
}

extern "C" __global__ void apply_f16(const __half* x, const float* largest_of, const float* sum_of,
                                     __half* y, int cols) {
  apply_scale(x, largest_of, sum_of, y, cols);
}
