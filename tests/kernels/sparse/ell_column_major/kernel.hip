#include <hip/hip_runtime.h>

// y = A x in ELLPACK: `width` slots a row, stored slot by slot; empty slots have column -1.
extern "C" __global__ void __launch_bounds__(128)
    ell(const int* column, const float* value, const float* x, float* y, int rows, int width) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  float sum = 0.0f;
  for (int slot = 0; slot < width; ++slot) {
    const size_t at = (size_t)slot * rows + row;
    if (column[at] >= 0) sum += value[at] * x[column[at]];
  }
  y[row] = sum;
}
