// y[r][c] = max(x[r][c] + bias[c], 0), by a grid that strides over all elements.
#include <hip/hip_runtime.h>

extern "C" __global__ void __launch_bounds__(256)
    bias_relu_grid_stride(const float* __restrict__ x, const float* __restrict__ bias,
                          float* __restrict__ y, int rows, int cols) {
  const int total = rows * cols;
  const int stride = gridDim.x * blockDim.x;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < total; i += stride) {
    y[i] = fmaxf(x[i] + bias[i % cols], 0.0f);
  }
}
