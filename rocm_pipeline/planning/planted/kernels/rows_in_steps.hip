#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

template <typename T>
__device__ void softmax_rows(const T* x, T* y, int rows, int cols) {
  const int lane = threadIdx.x;
  for (int row = blockIdx.x; row < rows; row += gridDim.x) {
    const size_t base = (size_t)row * cols;
    float largest = -INFINITY;
    for (int c = lane; c < cols; c += warpSize) largest = fmaxf(largest, (float)x[base + c]);
    for (int step = warpSize / 2; step > 0; step /= 2)
      largest = fmaxf(largest, __shfl_xor(largest, step));
    float sum = 0.0f;
    for (int c = lane; c < cols; c += warpSize) sum += expf((float)x[base + c] - largest);
    for (int step = warpSize / 2; step > 0; step /= 2) sum += __shfl_xor(sum, step);
    for (int c = lane; c < cols; c += warpSize)
      y[base + c] = (T)(expf((float)x[base + c] - largest) / sum);
  }
}

extern "C" __global__ void row_softmax_f32(const float* x, float* y, int rows, int cols) {
  softmax_rows(x, y, rows, cols);
}

extern "C" __global__ void row_softmax_f16(const __half* x, __half* y, int rows, int cols) {
  softmax_rows(x, y, rows, cols);
}
