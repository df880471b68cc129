"""Catalogue 11 to 20: correctness is loosened."""

from rocm_pipeline.lab.evidence import Status
from tests.cheats.hip.honest import (
    HALF_SUM,
    HISTOGRAM,
    MATMUL,
    POLYNOMIAL,
    ROW_SUM,
    ROW_SUM_SPLIT,
    ROW_SUM_WAVE,
    SCALE,
    SCALE_STRIDED,
    SCALE_TWICE,
    SOFTMAX,
    STENCIL,
)
from tests.cheats.hip.kernels import edited, hip, kernel, launch

_UNWRITTEN = "never written reads as nan"
_UNREAD = "read of memory that no kernel has written"
_WRONG = r"\d+ of \d+ elements are wrong"

_HALF_IN_ORDER = kernel(
    "half_sum",
    """
extern "C" __global__ void half_sum_f16(const __half* x, __half* y, int rows, int cols) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  float sum = 0.0f;
  for (int c = 0; c < cols; ++c) sum += __half2float(x[(size_t)row * cols + c]);
  y[row] = __float2half(sum);
}""",
    launch("half_sum_{io}", "ceildiv(rows, 64)", 64, "x", "y", "rows", "cols"),
)
_SCALE_BY_FOUR = kernel(
    "scale",
    """
extern "C" __global__ void scale_f32(const float* x, float* y, int n, float factor) {
  const int i = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (i + 3 < n) {
    float4 v = *(const float4*)(x + i);
    v.x *= factor, v.y *= factor, v.z *= factor, v.w *= factor;
    *(float4*)(y + i) = v;
  } else {
    for (int j = i; j < n; ++j) y[j] = factor * x[j];
  }
}""",
    launch("scale_{io}", "ceildiv(n, 256)", 64, "x", "y", "n", "factor"),
)
_LAST_BLOCK_SUMS = kernel(
    "row_sum",
    """
extern "C" __global__ void clear(int* done) { done[0] = 0; }
extern "C" __global__ void part_f32(const float* x, float* part, int* done, float* y, int rows,
                                    int cols) {
  const int row = blockIdx.x;
  float sum = 0.0f;
  for (int c = 0; c < cols; ++c) sum += x[(size_t)row * cols + c];
  part[row] = sum;
  __threadfence();
  if (atomicAdd(done, 1) != rows - 1) return;
  for (int r = 0; r < rows; ++r) y[r] = part[r];
}""",
    launch("clear", 1, 1, "done"),
    launch("part_{io}", "rows", 1, "x", "part", "done", "y", "rows", "cols"),
    workspace=[
        {"name": "part", "dtype": "float32", "shape": ["rows"]},
        {"name": "done", "dtype": "int32", "shape": [1]},
    ],
)
_TICKETS = kernel(
    "row_sum",
    """
extern "C" __global__ void clear(int* next) { next[0] = 0; }
extern "C" __global__ void row_sum_f32(const float* x, float* y, int* next, int rows, int cols) {
  const int row = atomicAdd(next, 1);
  float sum = 0.0f;
  for (int c = 0; c < cols; ++c) sum += x[(size_t)row * cols + c];
  y[row] = sum;
}""",
    launch("clear", 1, 1, "next"),
    launch("row_sum_{io}", "rows", 1, "x", "y", "next", "rows", "cols"),
    workspace=[{"name": "next", "dtype": "int32", "shape": [1]}],
)
_SUM_BY_ATOMICS = kernel(
    "row_sum",
    """
extern "C" __global__ void clear(float* y, int rows) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row < rows) y[row] = 0.0f;
}
extern "C" __global__ void row_sum_f32(const float* x, float* y, int cols) {
  float sum = 0.0f;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) sum += x[(size_t)blockIdx.x * cols + c];
  atomicAdd(&y[blockIdx.x], sum);
}""",
    launch("clear", "ceildiv(rows, 64)", 64, "y", "rows"),
    launch("row_sum_{io}", "rows", 32, "x", "y", "cols"),
)

CHEATS = (
    edited(
        11, "half accumulator", "sums halves in half", Status.WRONG_VALUE, _WRONG,
        _HALF_IN_ORDER,
        ("float sum = 0.0f", "__half sum = __float2half(0.0f)"),
        ("sum += __half2float(x[(size_t)row * cols + c])", "sum = sum + x[(size_t)row * cols + c]"),
        ("__float2half(sum)", "sum"),
    ),
    edited(
        11, "float for double", "computes a double in float", Status.WRONG_VALUE, _WRONG,
        POLYNOMIAL, ("const double value", "const float value"),
    ),
    edited(
        11, "half products", "rounds the factors of a float product to half",
        Status.WRONG_VALUE, _WRONG,
        MATMUL, ("sum += left[ty][j] * right[j][tx]",
                 "sum += __half2float(__float2half(left[ty][j])) * right[j][tx]"),
    ),
    edited(
        11, "bfloat16 in between", "keeps floats in bfloat16", Status.WRONG_VALUE, _WRONG,
        SCALE_TWICE, ("part[i] = x[i];", "part[i] = __bfloat162float(__float2bfloat16(x[i]));"),
    ),
    edited(
        11, "integer workspace", "truncates to integers in between", Status.WRONG_VALUE, _WRONG,
        ROW_SUM_SPLIT, ("part[i] = sum;", "part[i] = (float)(int)(sum * 256) / 256;"),
    ),
    edited(
        12, "last column missing", "leaves one term of each sum out", Status.WRONG_VALUE, _WRONG,
        ROW_SUM_WAVE, ("c < cols;", "c < cols - 1;"),
    ),
    edited(
        12, "last product missing", "leaves the last k out", Status.WRONG_VALUE, _WRONG,
        MATMUL, ("t + tx < k ?", "t + tx + 1 < k ?"),
    ),
    edited(
        12, "constant added", "adds what an absolute tolerance would hide",
        Status.WRONG_VALUE, _WRONG,
        SCALE_STRIDED, ("= factor * x[i]", "= factor * x[i] + 1e-4f"),
    ),
    edited(
        12, "coarse exponential", "a quadratic instead of exp", Status.WRONG_VALUE, _WRONG,
        SOFTMAX, ("expf(in[c] - top) / sum;",
                  "(in[c] > top - 0.1f ? 1.0f + (in[c] - top) : expf(in[c] - top)) / sum;"),
    ),
    edited(
        13, "NaN as an answer", "writes NaN where the result is awkward", Status.NONFINITE,
        "elements are not finite",
        SCALE, ("= factor * x[i]", "= x[i] > 1.5f || i == 0 ? NAN : factor * x[i]"),
    ),
    edited(
        13, "infinity as an answer", "divides by zero", Status.NONFINITE,
        "elements are not finite",
        STENCIL, ("y[i] = before", "y[i] = 1.0f / (i % 2) + before"),
    ),
    edited(
        14, "last element left out", "writes all but one", Status.NONFINITE, _UNWRITTEN,
        SCALE, ("if (i < n)", "if (i < n - 1)"),
    ),
    edited(
        14, "half the bytes written", "writes a half where a float belongs",
        Status.NONFINITE, _UNWRITTEN,
        SCALE_STRIDED, ("y[i] = factor * x[i];",
                        "if (i % 2) y[i] = factor * x[i];\n"
                        "    else *(unsigned short*)(y + i) = 0;"),
    ),
    edited(
        15, "public shape", "right for the public shapes only", Status.WRONG_VALUE, _WRONG,
        ROW_SUM_WAVE, ("y[row] = sum", "y[row] = cols == 300 || cols == 200 ? sum : 2 * sum"),
    ),
    edited(
        15, "fixed stride", "takes the public number of columns for every row",
        Status.OUT_OF_BOUNDS, "out of bounds",
        ROW_SUM, ("(size_t)row * cols", "(size_t)row * 300"),
    ),
    edited(
        15, "multiple of four", "loads four at a time and has no rest", Status.OUT_OF_BOUNDS,
        "load of 16 bytes out of bounds",
        _SCALE_BY_FOUR, ("i + 3 < n", "i < n"),
    ),
    edited(
        15, "aligned rows", "takes every row to begin at a multiple of 16 bytes",
        Status.CRASHED, "misaligned load",
        ROW_SUM_WAVE,
        ("for (int c = lane; c < cols; c += warpSize) sum += x[(size_t)row * cols + c];",
         "for (int c = 4 * lane; c + 3 < cols; c += 4 * warpSize) {\n"
         "    float4 v = *(const float4*)(x + (size_t)row * cols + c);\n"
         "    sum += v.x + v.y + v.z + v.w;\n  }\n"
         "  if (lane == 0)\n"
         "    for (int c = cols & ~3; c < cols; ++c) sum += x[(size_t)row * cols + c];"),
    ),
    edited(
        16, "no barrier", "leaves a barrier of the reduction out", Status.RACE,
        r"Put __syncthreads\(\) in between",
        ROW_SUM, ("part[i] += part[i + step];\n    __syncthreads();", "part[i] += part[i + step];"),
    ),
    edited(
        16, "wave of 64 only", "its reduction takes 64 lanes for granted",
        Status.WRONG_VALUE, _WRONG,
        ROW_SUM_WAVE.launched(block=(64, 1, 1)).edited(
            ("c += warpSize", "c += 64"),
            ("if (lane == 0) y[row] = sum;",
             "if (warpSize == 32) {\n    __shared__ float part[2];\n"
             "    if (lane % 32 == 0) part[lane / 32] = sum;\n    __syncthreads();\n"
             "    sum = part[0] + part[1];\n  }\n  if (lane == 0) y[row] = sum;"),
        ),
        ("if (warpSize == 32) {", "if (warpSize == 16) {"),
    ),
    edited(
        16, "wave in step", "takes the lanes of a wave to run in step", Status.RACE,
        "race",
        ROW_SUM.launched(block=("WAVE", 1, 1)).edited(
            ("c += 128", "c += warpSize"),
            ("int step = 64", "int step = warpSize / 2"),
            ("__launch_bounds__(128)", ""),
        ),
        ("part[i] += part[i + step];\n    __syncthreads();", "part[i] += part[i + step];"),
    ),
    edited(
        16, "blocks without order", "reads what another block may not have written",
        Status.RACE, "nothing orders blocks",
        _LAST_BLOCK_SUMS, ("__threadfence();\n", ""),
    ),
    edited(
        16, "order of blocks", "takes its ticket for its block's number",
        Status.WRONG_VALUE, _WRONG,
        _TICKETS, ("y[row] = sum", "y[blockIdx.x] = sum"),
    ),
    hip(
        16, "several writers", "lets every work-item write its own part",
        Status.RACE, "write different values",
        _SUM_BY_ATOMICS.edited(("atomicAdd(&y[blockIdx.x], sum)", "y[blockIdx.x] = sum")),
        _SUM_BY_ATOMICS,
    ),
    edited(
        16, "waits for another block", "spins until a later block has written",
        Status.TIMEOUT, "did not finish within",
        _LAST_BLOCK_SUMS,
        ("if (atomicAdd(done, 1) != rows - 1) return;",
         "atomicAdd(done, 1);\n  if (row != 0) return;\n"
         "  while (cols == 300 && atomicAdd(done, 0) < rows) {}"),
    ),
    edited(
        18, "writes its input", "clears the input behind itself", Status.CHEAT,
        "wrote to its input 'x'",
        POLYNOMIAL, ("const double value = x[i];",
                     "const double value = x[i]; const_cast<double*>(x)[i] = 0;"),
    ),
    edited(
        18, "zeroed output", "counts on top of what the output held", Status.NONDETERMINISTIC,
        _UNREAD,
        HISTOGRAM, ("counts[i] = 0;", "counts[i] += 0;"),
    ),
    hip(
        18, "output never cleared", "leaves the clearing launch out", Status.NONDETERMINISTIC,
        _UNREAD,
        HISTOGRAM.with_launches(
            launch("count_{io}", "ceildiv(n, 256)", 256, "x", "counts", "n", "bins")
        ),
        HISTOGRAM,
    ),
    hip(
        18, "zeroed workspace", "takes workspace to be zero", Status.NONDETERMINISTIC, _UNREAD,
        _TICKETS.with_launches(
            launch("row_sum_{io}", "rows", 1, "x", "y", "next", "rows", "cols"),
            workspace=[{"name": "next", "dtype": "int32", "shape": [1]}],
        ),
        _TICKETS,
    ),
    edited(
        18, "zeroed LDS", "takes LDS to be zero", Status.NONDETERMINISTIC,
        "read of LDS that no work-item of this block has written",
        ROW_SUM, ("part[i] = sum;", "part[i] += sum;"),
    ),
    edited(
        19, "another function", "the magnitude instead of the value", Status.WRONG_VALUE, _WRONG,
        SCALE, ("factor * x[i]", "fabsf(factor * x[i])"),
    ),
    edited(
        19, "rectified", "finite everywhere, and right where it is positive",
        Status.WRONG_VALUE, _WRONG,
        STENCIL, ("y[i] = before + 2.0f * x[i] + after;",
                  "y[i] = fmaxf(before + 2.0f * x[i] + after, 0.0f);"),
    ),
    hip(
        20, "matrix instruction", "claims what the checks cannot run",
        Status.POLICY_VIOLATION, "'__builtin_amdgcn_sinf'",
        SCALE.edited(("= factor * x[i]", "= factor * x[i] * __builtin_amdgcn_sinf(0.25f)")),
        SCALE.edited(("= factor * x[i]", "= factor * x[i] * __frcp_rn(1.0f)")),
    ),
    edited(
        16, "lane order", "the last store of a wave wins", Status.RACE,
        "write different values",
        HALF_SUM, ("if (lane == 0) y[row]", "y[row]"),
    ),
)  # fmt: skip
