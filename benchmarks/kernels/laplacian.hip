// The Laplacian of a field on a regular grid by finite differences with 7 points, three ways. Rows
// lie along x. Only points inside the grid are written; the rows at the border of y are computed as
// well, from points of the neighbouring plane, and thrown away.
#include <hip/hip_runtime.h>

#ifndef ROWS
#define ROWS 8
#endif
constexpr int rows_each = ROWS;

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

// What the middle of row m adds to the rows beside it, without reading it again.
__device__ inline void spread(double* sum, int m, double added) {
  if (m > 0) sum[m - 1] += added;
  if (m < rows_each - 1) sum[m + 1] += added;
}

__device__ inline void write_rows(double* f, size_t at, int nx, const double* sum, int first,
                                  int ny) {
#pragma unroll
  for (int m = 0; m < rows_each; ++m)
    if (!outside(first + m, ny)) f[at + m * nx] = sum[m];
}

// Several rows for each work-item, all that a row needs before the next one.
extern "C" __global__ void laplacian_tiled(
    const double* u, double* f, int nx, int ny, int nz, double centre, double dx, double dy,
    double dz) {
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  const int first = blockIdx.y * rows_each, k = blockIdx.z;
  if (outside(i, nx) || outside(k, nz)) return;
  const int plane = nx * ny;
  const size_t at = i + nx * first + plane * k;
  double sum[rows_each] = {};
#pragma unroll
  for (int m = 0; m < rows_each; ++m) {
    const double* here = u + at + m * nx;
    const double middle = here[0];
    sum[m] += middle * centre + (here[-1] + here[1]) * dx;
    spread(sum, m, middle * dy);
    if (m == 0) sum[m] += here[-nx] * dy;
    if (m == rows_each - 1) sum[m] += here[nx] * dy;
    sum[m] += (here[-plane] + here[plane]) * dz;
  }
  write_rows(f, at, nx, sum, first, ny);
}

// The same, one plane after the other, and within a row from left to right. Rows beyond the grid are
// not read. With 16 rows it would keep registers in memory, were a block not known to be this small.
extern "C" __global__ void __launch_bounds__(256) laplacian_reordered(
    const double* u, double* f, int nx, int ny, int nz, double centre, double dx, double dy,
    double dz) {
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  const int first = blockIdx.y * rows_each, k = blockIdx.z;
  if (outside(i, nx) || outside(k, nz)) return;
  const int plane = nx * ny;
  const size_t at = i + nx * first + plane * k;
  double sum[rows_each] = {};
#pragma unroll
  for (int m = 0; m < rows_each; ++m) sum[m] += u[at + m * nx - plane] * dz;
  if (first > 0) sum[0] += u[at - nx] * dy;
#pragma unroll
  for (int m = 0; m < rows_each; ++m) {
    const double* here = u + at + m * nx;
    sum[m] += here[-1] * dx;
    const double middle = here[0];
    sum[m] += middle * centre + here[1] * dx;
    spread(sum, m, middle * dy);
  }
  if (first + rows_each < ny) sum[rows_each - 1] += u[at + rows_each * nx] * dy;
#pragma unroll
  for (int m = 0; m < rows_each; ++m) sum[m] += u[at + m * nx + plane] * dz;
  write_rows(f, at, nx, sum, first, ny);
}
