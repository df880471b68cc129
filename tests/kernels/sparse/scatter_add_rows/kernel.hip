#include <hip/hip_runtime.h>

// Adds rows of `update` to the rows of `table` that `index` names; one may be named repeatedly.
extern "C" __global__ void __launch_bounds__(64)
    scatter_add(const float* update, const int* index, float* table, int width, int size) {
  const int column = blockIdx.x * 64 + threadIdx.x, item = blockIdx.y;
  if (column >= width) return;
  const int row = index[item] < 0 ? index[item] + size : index[item];  // counted from the end
  atomicAdd(&table[(size_t)row * width + column], update[(size_t)item * width + column]);
}
