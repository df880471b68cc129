// The Laplacian of a field on a regular grid by finite differences with 7 points, three ways. Rows
// lie along x. Only points inside the grid are written; the rows of 8 at the border of y are computed
// as well, from points of the neighbouring plane, and thrown away.
#include <hip/hip_runtime.h>

constexpr int rows_each = 8;

__device__ inline bool outside(int i, int n) { return i == 0 || i >= n - 1; }

// One point for each work-item.
extern "C" __global__ void __launch_bounds__(256) laplacian_plain(
    const double* u, double* f, int nx, int ny, int nz, double centre, double dx, double dy,
    double dz) {
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  const int j = blockIdx.y, k = blockIdx.z;
  if (outside(i, nx) || outside(j, ny) || outside(k, nz)) return;
  const int plane = nx * ny;
  const size_t at = i + (size_t)nx * j + (size_t)plane * k;
  f[at] = u[at] * centre + (u[at - 1] + u[at + 1]) * dx + (u[at - nx] + u[at + nx]) * dy +
          (u[at - plane] + u[at + plane]) * dz;
}

// Eight rows for each work-item, one after the other.
extern "C" __global__ void __launch_bounds__(256) laplacian_tiled(
    const double* u, double* f, int nx, int ny, int nz, double centre, double dx, double dy,
    double dz) {
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  const int first = blockIdx.y * rows_each, k = blockIdx.z;
  if (outside(i, nx) || outside(k, nz)) return;
  const int plane = nx * ny;
  const size_t at = i + (size_t)nx * first + (size_t)plane * k;
  double sum[rows_each];
#pragma unroll
  for (int m = 0; m < rows_each; ++m) {
    const size_t here = at + (size_t)m * nx;
    sum[m] = u[here] * centre + (u[here - 1] + u[here + 1]) * dx +
             (u[here - nx] + u[here + nx]) * dy + (u[here - plane] + u[here + plane]) * dz;
  }
#pragma unroll
  for (int m = 0; m < rows_each; ++m)
    if (!outside(first + m, ny)) f[at + (size_t)m * nx] = sum[m];
}

// The same, reading plane after plane, and every row of the middle plane once.
extern "C" __global__ void __launch_bounds__(256) laplacian_reordered(
    const double* u, double* f, int nx, int ny, int nz, double centre, double dx, double dy,
    double dz) {
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  const int first = blockIdx.y * rows_each, k = blockIdx.z;
  if (outside(i, nx) || outside(k, nz)) return;
  const int plane = nx * ny;
  const size_t at = i + (size_t)nx * first + (size_t)plane * k;
  double sum[rows_each];
#pragma unroll
  for (int m = 0; m < rows_each; ++m) sum[m] = u[at + (size_t)m * nx - plane] * dz;
  sum[0] += u[at - nx] * dy;
#pragma unroll
  for (int m = 0; m < rows_each; ++m) {
    const size_t here = at + (size_t)m * nx;
    const double middle = u[here];
    sum[m] += middle * centre + (u[here - 1] + u[here + 1]) * dx;
    if (m > 0) sum[m - 1] += middle * dy;
    if (m < rows_each - 1) sum[m + 1] += middle * dy;
  }
  sum[rows_each - 1] += u[at + (size_t)rows_each * nx] * dy;
#pragma unroll
  for (int m = 0; m < rows_each; ++m) sum[m] += u[at + (size_t)m * nx + plane] * dz;
#pragma unroll
  for (int m = 0; m < rows_each; ++m)
    if (!outside(first + m, ny)) f[at + (size_t)m * nx] = sum[m];
}
