#include <hip/hip_runtime.h>

// Copies the rows that `index` names, four floats at a time; the width is a multiple of four.
extern "C" __global__ void __launch_bounds__(64)
    gather(const float4* table, const int* index, float4* out, int items, int width) {
  const int quads = width / 4;
  const int at = blockIdx.x * 64 + threadIdx.x, item = at / quads, quad = at % quads;
  if (item >= items) return;
  out[(size_t)item * quads + quad] = table[(size_t)index[item] * quads + quad];
}
