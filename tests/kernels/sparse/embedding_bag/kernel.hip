#include <hip/hip_runtime.h>

// Mean of the embeddings of each bag, tokens of bag i at offsets[i] to offsets[i + 1]; token 0 is
// padding and counts for nothing. One wave a bag, lanes share the columns.
extern "C" __global__ void embedding_bag(const float* table, const int* tokens, const int* offsets,
                                         float* out, int bags, int dim) {
  const int bag = blockIdx.x * blockDim.y + threadIdx.y;
  if (bag >= bags) return;
  const int begin = offsets[bag], end = offsets[bag + 1];
  int used = 0;
  for (int i = begin + (int)threadIdx.x; i < end; i += warpSize) used += tokens[i] != 0;
  for (int mask = warpSize / 2; mask > 0; mask /= 2) used += __shfl_xor(used, mask);
  for (int d = threadIdx.x; d < dim; d += warpSize) {
    float sum = 0.0f;
    for (int i = begin; i < end; ++i)
      if (tokens[i] != 0) sum += table[(size_t)tokens[i] * dim + d];
    out[(size_t)bag * dim + d] = sum / (float)max(used, 1);
  }
}
