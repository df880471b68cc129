// The four largest of each row of up to 64 elements with their indices: a wave a row, by shuffles.
#include <hip/hip_runtime.h>

extern "C" __global__ void __launch_bounds__(64)
    top_k_wave(const float* __restrict__ x, float* __restrict__ top, int* __restrict__ index,
               int cols) {
  const int lane = threadIdx.x;
  const float* row = x + (size_t)blockIdx.x * cols;
  float value[2];
  int at[2];
  for (int i = 0; i < 2; ++i) {
    at[i] = lane + i * warpSize;
    value[i] = at[i] < cols ? row[at[i]] : -INFINITY;
  }
  for (int k = 0; k < 4; ++k) {
    float best = fmaxf(value[0], value[1]);
    int where = value[0] >= value[1] ? at[0] : at[1];
    for (int offset = warpSize / 2; offset > 0; offset /= 2) {
      const float other = __shfl_xor(best, offset);
      const int other_at = __shfl_xor(where, offset);
      if (other > best || (other == best && other_at < where)) {
        best = other;
        where = other_at;
      }
    }
    if (lane == 0) {
      top[blockIdx.x * 4 + k] = best;
      index[blockIdx.x * 4 + k] = where;
    }
    for (int i = 0; i < 2; ++i) value[i] = at[i] == where ? -INFINITY : value[i];
  }
}
