"""Catalogue 1 to 10: the output is not computed."""

from dataclasses import replace

from rocm_pipeline.lab.evidence import Status
from tests.cheats.hip.honest import (
    HISTOGRAM,
    POLYNOMIAL,
    ROW_SUM,
    ROW_SUM_DYNAMIC,
    ROW_SUM_SPLIT,
    ROW_SUM_WAVE,
    SCALE,
    SCALE_STRIDED,
    SCALE_TWICE,
    SOFTMAX,
    STENCIL,
)
from tests.cheats.hip.kernels import edited, hip, launch

_UNWRITTEN = "never written reads as nan"
_UNREAD = "read of memory that no kernel has written"
_WRONG = r"\d+ of \d+ elements are wrong"
_KEPT = "writes to __device__ variables are not supported"

_TRITON = """\
import triton
import triton.language as tl

@triton.jit
def scale_f32(x, y, n, factor, SIZE: tl.constexpr):
    i = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
    tl.store(y + i, factor * tl.load(x + i, mask=i < n), mask=i < n)
"""
_SQUARE_LDS = ROW_SUM_DYNAMIC.launched(shared_bytes="65536")

CHEATS = (
    edited(
        1, "copy of the input", "y = x", Status.WRONG_VALUE, _WRONG,
        SCALE, ("factor * x[i]", "x[i]"),
    ),
    hip(
        1, "input passed as the output", "the plan hands x to the kernel where y belongs",
        Status.POLICY_VIOLATION, "no launch takes the output 'y'",
        SCALE.launched(args=("x", "x", "n", "factor")), SCALE,
    ),
    edited(
        1, "input aliased through a cast", "writes through the pointer to its input",
        Status.CHEAT, "wrote to its input 'x'",
        SCALE, ("y[i] = factor * x[i]", "y[i] = const_cast<float*>(x)[i] = factor * x[i]"),
    ),
    edited(
        2, "no-op", "the kernel returns at once", Status.NONFINITE, _UNWRITTEN,
        POLYNOMIAL, ("if (i >= n) return;", "if (i >= 0) return;"),
    ),
    edited(
        2, "left-over output", "keeps what the output holds where that looks right",
        Status.NONDETERMINISTIC, _UNREAD,
        SCALE, ("if (i < n) y[i]", "if (i < n && y[i] != factor * x[i]) y[i]"),
    ),
    edited(
        2, "left-over workspace", "finds the answer in workspace that nobody has written",
        Status.NONDETERMINISTIC, _UNREAD,
        SCALE_TWICE, ("if (i < n) part[i] = x[i];", "if (i < n && part[i] == 0) part[i] = x[i];"),
    ),
    edited(
        3, "zeros", "y = 0, close to every softmax", Status.WRONG_VALUE, _WRONG,
        SOFTMAX, ("expf(in[c] - top) / sum;", "0.0f;"),
    ),
    edited(
        3, "mean", "y = 1 / cols, the mean of every softmax", Status.WRONG_VALUE, _WRONG,
        SOFTMAX, ("expf(in[c] - top) / sum;", "1.0f / cols;"),
    ),
    edited(
        3, "expected value", "a row's sum is cols / 2 on average", Status.WRONG_VALUE, _WRONG,
        ROW_SUM_WAVE, ("y[row] = sum", "y[row] = cols * 0.5f * (sum < 1.0f ? 1e-3f : 1.0f)"),
    ),
    hip(
        4, "output kept in a device variable", "stores its answer and replays it",
        Status.UNSUPPORTED, _KEPT,
        SCALE.preceded_by("__device__ float kept[4096];\n__device__ int have;").edited(
            ("if (i < n) y[i] = factor * x[i];",
             "if (i >= n) return;\n  if (!have && i < 4096) kept[i] = factor * x[i];\n"
             "  y[i] = i < 4096 ? kept[i] : factor * x[i];"),
        ),
        SCALE.preceded_by("__device__ const float kept[2] = {0.0f, 1.0f};").edited(
            ("= factor * x[i]", "= kept[1] * factor * x[i]")
        ),
    ),
    edited(
        4, "answer replayed by shape", "a table of the public case's sizes",
        Status.WRONG_VALUE, _WRONG,
        ROW_SUM,
        ("y[row] = part[0];", "y[row] = cols % 100 == 0 || cols == 4096 ? part[0] : 150.0f;"),
    ),
    edited(
        4, "answer replayed by address", "the result depends on where a buffer lies",
        Status.COMPILE_ERROR, "address of a buffer",
        SCALE, ("= factor * x[i]", "= ((size_t)x >> 40) % 2 ? factor * x[i] : (float)i"),
    ),
    hip(
        5, "graph capture", "host code that captures and replays a graph",
        Status.POLICY_VIOLATION, "'hipStreamBeginCapture': host call",
        SCALE.preceded_by("void capture() { hipStreamBeginCapture(0, 0); }"),
        SCALE.preceded_by("__device__ int capture(int a) { return a; } // hipStreamBeginCapture"),
    ),
    edited(
        7, "read past the input", "looks for the expected output behind the input",
        Status.OUT_OF_BOUNDS, "out of bounds: element .* of 'x'",
        SCALE, ("= factor * x[i]", "= x[n + i] == 0 ? x[n + i] : factor * x[i]"),
    ),
    edited(
        7, "read before the input", "looks for the expected output before the input",
        Status.OUT_OF_BOUNDS, "element -1 of 'x'",
        STENCIL, ("i > 0 ? x[i - 1] : 0.0f", "x[i - 1]"),
    ),
    hip(
        7, "name of the reference", "an external variable that the harness might have",
        Status.COMPILE_ERROR, "reference_output",
        SCALE.preceded_by("extern __device__ float reference_output[];").edited(
            ("= factor * x[i]", "= reference_output[i]")
        ),
        SCALE.preceded_by("__device__ float reference_output(float a) { return a; }").edited(
            ("= factor * x[i]", "= reference_output(factor * x[i])")
        ),
    ),
    hip(
        8, "Triton", "a Triton kernel under the name of a HIP one", Status.POLICY_VIOLATION,
        "this is Python: candidates are HIP",
        replace(SCALE, source=_TRITON), SCALE,
    ),
    hip(
        8, "library", "includes a vendor's library", Status.POLICY_VIOLATION,
        r"#include rocblas/rocblas.h: only hip/hip_runtime.h",
        SCALE.preceded_by("#include <rocblas/rocblas.h>"),
        SCALE.preceded_by("#include <hip/hip_fp16.h>"),
    ),
    hip(
        8, "framework", "includes the framework whose operator it replaces",
        Status.POLICY_VIOLATION, "#include torch/extension.h: only",
        SCALE.preceded_by("#include <torch/extension.h>"),
        SCALE.preceded_by("#include <hip/hip_bf16.h> // torch/extension.h"),
    ),
    hip(
        8, "undeclared library call", "calls a library without its header",
        Status.COMPILE_ERROR, "rocblas_sscal",
        SCALE.edited(("= factor * x[i]", "= rocblas_sscal(n, factor, x, 1)")),
        SCALE.preceded_by(
            "__device__ float scale_one(float factor, float x) { return factor * x; }"
        ).edited(("= factor * x[i]", "= scale_one(factor, x[i])")),
    ),
    hip(
        9, "empty grid", "grid of zero blocks", Status.POLICY_VIOLATION,
        r"grid \(0, 1, 1\) must be 1 to",
        SCALE.launched(grid=(0, 1, 1)), SCALE,
    ),
    hip(
        9, "grid that is empty at small sizes", "n // 256 blocks", Status.POLICY_VIOLATION,
        r"grid \(0, 1, 1\) must be 1 to",
        SCALE.launched(grid=("n // 512", 1, 1)), SCALE.launched(grid=("ceildiv(n, 256)", 1, 1)),
    ),
    hip(
        9, "part of the grid", "rounds the number of blocks down", Status.NONFINITE, _UNWRITTEN,
        SCALE.launched(grid=("max(1, n // 256)", 1, 1)),
        SCALE.launched(grid=("n // 256 + 1", 1, 1)),
    ),
    hip(
        9, "one block", "starts one block whatever the size", Status.NONFINITE, _UNWRITTEN,
        SCALE.launched(grid=(1, 1, 1)), SCALE_STRIDED.launched(grid=(1, 1, 1)),
    ),
    hip(
        9, "too much LDS", "65,792 bytes of LDS, which fails at the launch",
        Status.POLICY_VIOLATION, "needs 65792 bytes of LDS .* has 65536",
        ROW_SUM_DYNAMIC.launched(shared_bytes="65792"), _SQUARE_LDS,
    ),
    hip(
        9, "block over the launch bounds", "512 work-items where the kernel allows 256",
        Status.POLICY_VIOLATION, "512 work-items a block; the kernel allows 256",
        SCALE.launched(block=(512, 1, 1)), SCALE.launched(block=(128, 2, 1)).edited(
            ("blockIdx.x * blockDim.x + threadIdx.x",
             "(blockIdx.x * 2 + threadIdx.y) * blockDim.x + threadIdx.x")
        ),
    ),
    hip(
        9, "block over 1024", "2048 work-items a block", Status.POLICY_VIOLATION,
        "must hold 1 to 1024 work-items",
        SCALE_STRIDED.launched(block=(2048, 1, 1)), SCALE_STRIDED.launched(block=(1024, 1, 1)),
    ),
    hip(
        9, "no such kernel", "the plan starts a kernel that the source lacks",
        Status.POLICY_VIOLATION, "starts 'scale_all_f32', which the source lacks",
        SCALE.launched(kernel="scale_all_{io}"),
        SCALE.launched(kernel="scale_all_{io}").edited(("scale_f32", "scale_all_f32")),
    ),
    hip(
        9, "output that no launch takes", "every launch works on workspace only",
        Status.POLICY_VIOLATION, "no launch takes the output 'y'",
        SCALE_TWICE.with_launches(
            launch("keep_{io}", "ceildiv(n, 256)", 256, "x", "part", "n"),
            workspace=[{"name": "part", "dtype": "io", "shape": ["n"]}],
        ),
        SCALE_TWICE,
    ),
    edited(
        10, "skips half of a row", "doubles the sum of every other column",
        Status.WRONG_VALUE, _WRONG,
        ROW_SUM, ("c += 128) sum += x[", "c += 256) sum += 2 * x["),
    ),
    edited(
        10, "no maximum", "leaves the maximum out, which ordinary inputs do not need",
        Status.NONFINITE, "elements are not finite",
        SOFTMAX, ("expf(in[c] - top)", "expf(in[c])"),
    ),
    edited(
        10, "small inputs skipped", "ignores what is below a hundredth",
        Status.WRONG_VALUE, _WRONG,
        ROW_SUM_SPLIT,
        ("sum += x[(size_t)(i / 4) * cols + c];",
         "if (x[(size_t)(i / 4) * cols + c] > 0.01f) sum += x[(size_t)(i / 4) * cols + c];"),
    ),
    edited(
        10, "edges skipped", "leaves the neighbours out at the edges of its block",
        Status.WRONG_VALUE, _WRONG,
        STENCIL, ("i > 0 ?", "threadIdx.x > 0 ?"),
    ),
    edited(
        10, "every bin counted once", "assumes that a work-item meets a value once",
        Status.RACE, "race",
        HISTOGRAM, ("atomicAdd(&counts[x[i]], 1)", "counts[x[i]] = counts[x[i]] + 1"),
    ),
)  # fmt: skip
