"""Folders to verify: honest kernels of many kinds, and mistakes with the status they must get."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEAD = "#include <hip/hip_runtime.h>\n"
ONE_D = {"grid": ["ceildiv(n, 256)", 1, 1], "block": [256, 1, 1]}


@dataclass(frozen=True)
class Folder:
    """One honest kernel, and single replacements in it that are mistakes."""

    name: str
    kernel: str
    launches: list[dict[str, Any]]
    tensors: dict[str, tuple[str, list[Any], str]]
    symbols: list[dict[str, int]]
    inputs: str
    """Expression over `rng` and `symbols`."""
    reference: str
    """Expression over `inputs` (as i) and `scalars` (as s)."""
    scalars: dict[str, dict[str, Any]] = field(default_factory=dict)
    workspace: list[dict[str, Any]] = field(default_factory=list)
    case: dict[str, Any] = field(default_factory=dict)
    mistakes: tuple[tuple[str, str, str], ...] = ()
    """(before, after, status)."""

    def files(self) -> dict[str, str]:
        reference = (
            "import numpy as np\n\n\n"
            f"def make_inputs(rng, symbols):\n    return {self.inputs}\n\n\n"
            f"def reference(i, s):\n    return {self.reference}\n"
        )
        case = {
            "tensors": {
                name: {"dtype": dtype, "shape": shape, "role": role}
                for name, (dtype, shape, role) in self.tensors.items()
            },
            "scalars": self.scalars,
            "symbols": self.symbols,
            "extra_cases": False,
            **self.case,
        }
        plan = {"launches": self.launches, "workspace": self.workspace}
        return {
            "kernel.hip": HEAD + self.kernel,
            "launch.json": json.dumps(plan),
            "reference.py": reference,
            "case.json": json.dumps(case),
        }


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def pointwise(
    name: str, dtype: str, ctype: str, expression: str, reference: str, **more: Any
) -> Folder:
    """y[i] = expression of x[i]."""
    inputs = more.pop("inputs", "{'x': rng.standard_normal(symbols['n'])}")
    out_dtype, out_ctype = more.pop("out", (dtype, ctype))
    return Folder(
        name,
        f'extern "C" __global__ void {name}(const {ctype}* x, {out_ctype}* y, int n) {{\n'
        "  const int i = blockIdx.x * 256 + threadIdx.x;\n"
        f"  if (i < n) y[i] = {expression};\n}}\n",
        [{"kernel": name, **ONE_D, "args": ["x", "y", "n"]}],
        {"x": (dtype, ["n"], "input"), "y": (out_dtype, ["n"], "output")},
        [{"n": 1000}],
        inputs,
        f"{{'y': {reference}}}",
        **more,
    )


VECTOR_ADD = Folder(
    "vector_add",
    """extern "C" __global__ void add(const float* a, const float* b, float* y, int n) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) y[i] = a[i] + b[i];
}
""",
    [{"kernel": "add", **ONE_D, "args": ["a", "b", "y", "n"]}],
    {
        "a": ("float32", ["n"], "input"),
        "b": ("float32", ["n"], "input"),
        "y": ("float32", ["n"], "output"),
    },
    [{"n": 1000}],
    "{'a': rng.standard_normal(symbols['n']), 'b': rng.standard_normal(symbols['n'])}",
    "{'y': i['a'] + i['b']}",
    mistakes=(
        ("if (i < n) ", "", "OUT_OF_BOUNDS"),
        ("a[i] + b[i]", "a[i] - b[i]", "WRONG_VALUE"),
        ("a[i] + b[i]", "(a[i] + b[i]) / (float)(n - n)", "NONFINITE"),
        ("a[i] + b[i];", "a[i] + b[i]", "COMPILE_ERROR"),
        ("a[i] + b[i];", "a[i] + b[i]; hipDeviceSynchronize();", "POLICY_VIOLATION"),
        ("if (i < n) y", "while (n > 0) __threadfence();\n  if (i < n) y", "TIMEOUT"),
        ("const float* a", "float* a", "PASSED"),
        ("y[i] = a[i] + b[i];", "{ y[i] = a[i] + b[i]; ((float*)a)[i] = 0; }", "CHEAT"),
    ),
)
ROW_SUM = Folder(
    "row_sum",
    """extern "C" __global__ void __launch_bounds__(128)
    row_sum(const float* x, float* y, int cols) {
  __shared__ float parts[128];
  const unsigned t = threadIdx.x;
  float sum = 0.0f;
  for (int i = t; i < cols; i += 128) sum += x[(size_t)blockIdx.x * cols + i];
  parts[t] = sum;
  __syncthreads();
  for (unsigned half = 64; half > 0; half /= 2) {
    if (t < half) parts[t] += parts[t + half];
    __syncthreads();
  }
  if (t == 0) y[blockIdx.x] = parts[0];
}
""",
    [
        {
            "kernel": "row_sum",
            "grid": ["rows", 1, 1],
            "block": [128, 1, 1],
            "args": ["x", "y", "cols"],
        }
    ],
    {"x": ("float32", ["rows", "cols"], "input"), "y": ("float32", ["rows"], "output")},
    [{"rows": 5, "cols": 301}],
    "{'x': rng.standard_normal((symbols['rows'], symbols['cols']))}",
    "{'y': i['x'].sum(axis=1)}",
    mistakes=(
        ("parts[t] = sum;\n  __syncthreads();", "parts[t] = sum;", "RACE"),
        ("unsigned half = 64", "unsigned half = 128", "OUT_OF_BOUNDS"),
        ("unsigned half = 64", "unsigned half = 32", "WRONG_VALUE"),
    ),
)
TRANSPOSE = Folder(
    "transpose",
    """extern "C" __global__ void transpose(const float* x, float* y, int rows, int cols) {
  __shared__ float tile[16][17];
  int c = blockIdx.x * 16 + threadIdx.x, r = blockIdx.y * 16 + threadIdx.y;
  if (r < rows && c < cols) tile[threadIdx.y][threadIdx.x] = x[(size_t)r * cols + c];
  __syncthreads();
  c = blockIdx.x * 16 + threadIdx.y;
  r = blockIdx.y * 16 + threadIdx.x;
  if (r < rows && c < cols) y[(size_t)c * rows + r] = tile[threadIdx.x][threadIdx.y];
}
""",
    [
        {
            "kernel": "transpose",
            "grid": ["ceildiv(cols, 16)", "ceildiv(rows, 16)", 1],
            "block": [16, 16, 1],
            "args": ["x", "y", "rows", "cols"],
        }
    ],
    {"x": ("float32", ["rows", "cols"], "input"), "y": ("float32", ["cols", "rows"], "output")},
    [{"rows": 19, "cols": 37}],
    "{'x': rng.standard_normal((symbols['rows'], symbols['cols']))}",
    "{'y': i['x'].T}",
    mistakes=(("[16][17]", "[16][16]", "PASSED"), ("[16][17]", "[15][17]", "OUT_OF_BOUNDS")),
)
GEMM = Folder(
    "gemm",
    """extern "C" __global__ void gemm(const float* a, const float* b, float* c,
                                int m, int n, int k, float alpha) {
  const int col = blockIdx.x * 16 + threadIdx.x, row = blockIdx.y * 16 + threadIdx.y;
  if (row >= m || col >= n) return;
  float sum = 0.0f;
  for (int i = 0; i < k; ++i) sum += a[(size_t)row * k + i] * b[(size_t)i * n + col];
  c[(size_t)row * n + col] = alpha * sum;
}
""",
    [
        {
            "kernel": "gemm",
            "grid": ["ceildiv(n, 16)", "ceildiv(m, 16)", 1],
            "block": [16, 16, 1],
            "args": ["a", "b", "c", "m", "n", "k", "alpha"],
        }
    ],
    {
        "a": ("float32", ["m", "k"], "input"),
        "b": ("float32", ["k", "n"], "input"),
        "c": ("float32", ["m", "n"], "output"),
    },
    [{"m": 17, "n": 33, "k": 29}],
    "{'a': rng.standard_normal((symbols['m'], symbols['k'])),"
    " 'b': rng.standard_normal((symbols['k'], symbols['n']))}",
    "{'c': s['alpha'] * (i['a'] @ i['b'])}",
    scalars={"alpha": {"dtype": "float32", "value": 0.5}},
    mistakes=(("i < k", "i < k - 1", "WRONG_VALUE"), ("row >= m ||", "", "OUT_OF_BOUNDS")),
)
ATOMIC_SUM = Folder(
    "atomic_sum",
    """extern "C" __global__ void clear(float* y) { y[0] = 0.0f; }
extern "C" __global__ void sum(const float* x, float* y, int n) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) atomicAdd(y, x[i]);
}
""",
    [
        {"kernel": "clear", "grid": [1, 1, 1], "block": [1, 1, 1], "args": ["y"]},
        {"kernel": "sum", **ONE_D, "args": ["x", "y", "n"]},
    ],
    {"x": ("float32", ["n"], "input"), "y": ("float32", [1], "output")},
    [{"n": 1000}],
    "{'x': rng.standard_normal(symbols['n'])}",
    "{'y': i['x'].sum(keepdims=True)}",
    mistakes=(("atomicAdd(y, x[i])", "*y += x[i]", "RACE"),),
)
TWO_KERNELS = Folder(
    "two_kernels",
    """extern "C" __global__ void part(const float* x, float* partial, int n) {
  __shared__ float parts[256];
  const int i = blockIdx.x * 256 + threadIdx.x;
  parts[threadIdx.x] = i < n ? x[i] * x[i] : 0.0f;
  __syncthreads();
  if (threadIdx.x == 0) {
    float sum = 0.0f;
    for (int j = 0; j < 256; ++j) sum += parts[j];
    partial[blockIdx.x] = sum;
  }
}
extern "C" __global__ void norm(const float* x, const float* partial, float* y, int n) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  float sum = 0.0f;
  for (int j = 0; j < gridDim.x; ++j) sum += partial[j];
  if (i < n) y[i] = x[i] / sqrtf(sum);
}
""",
    [
        {"kernel": "part", **ONE_D, "args": ["x", "partial", "n"]},
        {"kernel": "norm", **ONE_D, "args": ["x", "partial", "y", "n"]},
    ],
    {"x": ("float32", ["n"], "input"), "y": ("float32", ["n"], "output")},
    [{"n": 1000}],
    "{'x': rng.standard_normal(symbols['n'])}",
    "{'y': i['x'] / np.sqrt((i['x'] ** 2).sum())}",
    workspace=[{"name": "partial", "dtype": "float32", "shape": ["ceildiv(n, 256)"]}],
    mistakes=(("if (threadIdx.x == 0) {", "if (n < 0) {", "NONDETERMINISTIC"),),
)
INOUT = Folder(
    "inout",
    """extern "C" __global__ void relu(float* x, int n) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) x[i] = fmaxf(x[i], 0.0f);
}
""",
    [{"kernel": "relu", **ONE_D, "args": ["x", "n"]}],
    {"x": ("float32", ["n"], "inout")},
    [{"n": 1000}],
    "{'x': rng.standard_normal(symbols['n'])}",
    "{'x': np.maximum(i['x'], 0)}",
    mistakes=(("0.0f)", "0.5f)", "WRONG_VALUE"),),
)
BF16 = (
    "__float2bfloat16(2.0f * __bfloat162float(x[i]))",
    "2 * i['x']",
)

FOLDERS = (
    VECTOR_ADD,
    ROW_SUM,
    TRANSPOSE,
    GEMM,
    ATOMIC_SUM,
    TWO_KERNELS,
    INOUT,
    pointwise(
        "copy", "float32", "float", "x[i]", "i['x']", mistakes=(("x[i]", "x[0]", "WRONG_VALUE"),)
    ),
    pointwise("square_half", "float16", "__half", "__hmul(x[i], x[i])", "i['x'] ** 2"),
    pointwise("bfloat", "bfloat16", "__hip_bfloat16", *BF16),
    pointwise(
        "bfloat_bits",
        "bfloat16",
        "unsigned short",
        "(unsigned short)((x[i] ^ 0x8000u))",
        "-i['x']",
    ),
    pointwise(
        "fp8_negate",
        "float8_e4m3fn",
        "unsigned char",
        "(unsigned char)(x[i] ^ 0x80u)",
        "-i['x']",
        mistakes=(("0x80u", "0x01u", "WRONG_VALUE"),),
    ),
    pointwise("fp8_e5m2", "float8_e5m2", "unsigned char", "(x[i] & 0x7fu)", "np.abs(i['x'])"),
    pointwise(
        "fp8_fnuz",
        "float8_e4m3fnuz",
        "unsigned char",
        "(unsigned char)((x[i] & 0x7fu) ? x[i] ^ 0x80u : 0u)",
        "-i['x']",
    ),
    pointwise("square_double", "float64", "double", "x[i] * x[i] + 1.0", "i['x'] ** 2 + 1"),
    pointwise(
        "double_in_float",
        "float64",
        "double",
        "exp(x[i])",
        "np.exp(i['x'])",
        mistakes=(("exp(x[i])", "expf((float)x[i])", "WRONG_VALUE"),),
    ),
    pointwise(
        "int8_dot",
        "int8",
        "signed char",
        "(int)x[i] * (int)x[i]",
        "i['x'].astype(np.int64) ** 2",
        out=("int32", "int"),
        inputs="{'x': rng.integers(-128, 128, symbols['n'])}",
        mistakes=(("(int)x[i] * (int)x[i]", "(signed char)(x[i] * x[i])", "WRONG_VALUE"),),
    ),
    pointwise(
        "mask",
        "float32",
        "float",
        "x[i] > 0.0f",
        "i['x'] > 0",
        out=("bool", "bool"),
        mistakes=(("> 0.0f", ">= -0.5f", "WRONG_VALUE"),),
    ),
    pointwise(
        "uint32_rotate",
        "uint32",
        "unsigned",
        "(x[i] << 7) | (x[i] >> 25)",
        "(i['x'] << np.uint32(7)) | (i['x'] >> np.uint32(25))",
        inputs="{'x': rng.integers(0, 2**32, symbols['n'], dtype=np.uint32)}",
    ),
    pointwise(
        "int64_scale",
        "int64",
        "long long",
        "x[i] * 3",
        "i['x'] * 3",
        inputs="{'x': rng.integers(-(2**40), 2**40, symbols['n'])}",
        mistakes=(("x[i] * 3", "(int)x[i] * 3", "WRONG_VALUE"),),
    ),
    pointwise(
        "uint8_threshold",
        "uint8",
        "unsigned char",
        "x[i] > 100 ? 255 : x[i]",
        "np.where(i['x'] > 100, 255, i['x'])",
        inputs="{'x': rng.integers(0, 256, symbols['n'])}",
    ),
)
