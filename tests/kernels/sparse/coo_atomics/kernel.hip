#include <hip/hip_runtime.h>

// y = A x for a matrix of (row, column, value), one thread an element, in any order.
extern "C" __global__ void clear(float* y, int rows) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < rows) y[i] = 0.0f;
}

extern "C" __global__ void __launch_bounds__(256)
    coo(const int* row, const int* column, const float* value, const float* x, float* y,
        int nonzeros) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= nonzeros) return;
  atomicAdd(&y[row[i]], value[i] * x[column[i]]);
}
