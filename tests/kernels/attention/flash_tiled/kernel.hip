#include <hip/hip_runtime.h>

// Flash attention forward: a block keeps 16 queries and walks the keys by tiles of 16 in LDS.
// Thread (x, y) holds score (y, x) of a tile and one column x of the output of query y.
#define TILE 16
#define DIM 16

extern "C" __global__ void __launch_bounds__(TILE* TILE)
    flash(const float* q, const float* k, const float* v, float* out, int queries, int keys,
          float scale) {
  __shared__ float q_tile[TILE][DIM + 1];
  __shared__ float k_tile[TILE][DIM + 1];
  __shared__ float v_tile[TILE][DIM + 1];
  __shared__ float p_tile[TILE][TILE + 1];
  const int x = threadIdx.x, y = threadIdx.y, head = blockIdx.y;
  const int query = blockIdx.x * TILE + y;
  const size_t row = ((size_t)head * queries + query) * DIM;
  q_tile[y][x] = query < queries ? scale * q[row + x] : 0.0f;
  float top = -INFINITY, sum = 0.0f, acc = 0.0f;
  for (int first = 0; first < keys; first += TILE) {
    const int mine = first + y;
    const size_t at = ((size_t)head * keys + mine) * DIM + x;
    k_tile[y][x] = mine < keys ? k[at] : 0.0f;
    v_tile[y][x] = mine < keys ? v[at] : 0.0f;
    __syncthreads();  // tiles of K and V are there
    float score = 0.0f;
#pragma unroll
    for (int d = 0; d < DIM; ++d) score += q_tile[y][d] * k_tile[x][d];
    p_tile[y][x] = first + x < keys ? score : -INFINITY;
    __syncthreads();  // scores are there
    float tile_top = top;
#pragma unroll
    for (int j = 0; j < TILE; ++j) tile_top = fmaxf(tile_top, p_tile[y][j]);
    const float shrink = expf(top - tile_top);
    sum *= shrink;
    acc *= shrink;
#pragma unroll
    for (int j = 0; j < TILE; ++j) {
      const float p = expf(p_tile[y][j] - tile_top);
      sum += p;
      acc += p * v_tile[j][x];
    }
    top = tile_top;
    __syncthreads();  // the tiles may be overwritten
  }
  if (query < queries) out[row + x] = acc / sum;
}
