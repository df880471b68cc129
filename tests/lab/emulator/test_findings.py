"""One planted defect of each kind, found for the stated reason, beside an honest twin."""

from dataclasses import dataclass

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import EmulatorRun
from rocm_pipeline.lab.evidence import Status
from tests.lab.emulator.bench import Bench, Start

N = 64


@dataclass(frozen=True)
class Planted:
    """`source` has the defect on the line marked BUG; `mend` turns it into an honest kernel."""

    name: str
    source: str
    mend: tuple[str, str]
    status: Status
    words: str
    block: int = N
    grid: int = 1
    shared_bytes: int = 0
    dtype: str = "float32"
    buffer: str | None = None
    poisoned: bool = False


PLANTED = [
    Planted(
        "read past the end of a buffer",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  int i = threadIdx.x;
  float next = x[i + 1];  // BUG
  if (i < n) y[i] = next;
}""",
        ("x[i + 1]", "i + 1 < n ? x[i + 1] : 0.0f"),
        Status.OUT_OF_BOUNDS,
        "load of 4 bytes out of bounds: element 64 of 'x', which has 64 elements of 4 bytes",
        buffer="x",
    ),
    Planted(
        "read before the start of a buffer",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  int i = threadIdx.x;
  y[i] = x[i - 1];  // BUG
}""",
        ("x[i - 1]", "i ? x[i - 1] : 0.0f"),
        Status.OUT_OF_BOUNDS,
        "element -1 of 'x'",
        buffer="x",
    ),
    Planted(
        "write past the end of a buffer",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = 1.0f;  // BUG
}""",
        ("y[i] =", "if (i < n) y[i] ="),
        Status.OUT_OF_BOUNDS,
        "store of 4 bytes out of bounds: element 64 of 'y'",
        grid=2,
        buffer="y",
    ),
    Planted(
        "wild pointer",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  const float* p = n == 64 ? (const float*)0 : x;
  y[threadIdx.x] = p[threadIdx.x];  // BUG
}""",
        ("n == 64", "n == 65"),
        Status.OUT_OF_BOUNDS,
        "an address that belongs to no buffer",
    ),
    Planted(
        "static LDS overrun into its neighbour",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ float a[64];
  __shared__ float b[64];
  int i = threadIdx.x;
  b[i] = x[i];
  a[i + 1] = x[i];  // BUG
  __syncthreads();
  y[i] = a[i ? i : 1] + b[63 - i];
}""",
        ("a[i + 1] =", "a[i] ="),
        Status.OUT_OF_BOUNDS,
        "byte 256 of LDS array 'a', which has 256 bytes",
    ),
    Planted(
        "dynamic LDS overrun",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  extern __shared__ float s[];
  int i = threadIdx.x;
  s[i + 1] = x[i];  // BUG
  __syncthreads();
  y[i] = s[i ? i : 1];
}""",
        ("s[i + 1] =", "s[i] ="),
        Status.OUT_OF_BOUNDS,
        "byte 256 of the dynamic LDS, 256 bytes by shared_bytes",
        shared_bytes=256,
    ),
    Planted(
        "local array overrun",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  float mine[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  int i = threadIdx.x;
  for (int j = 0; j < n / 8; ++j) mine[(unsigned)j * 3 % 8] += x[j];
  y[i] = mine[n / 8];  // BUG
}""",
        ("mine[n / 8]", "mine[n / 9]"),
        Status.OUT_OF_BOUNDS,
        "byte 32 of a local array, which has 32 bytes",
    ),
    Planted(
        "missing barrier between writing and reading LDS",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ float s[64];
  int i = threadIdx.x;
  s[i] = x[i];  // BUG
  /* nothing */
  y[i] = s[63 - i];
}""",
        ("/* nothing */", "__syncthreads();"),
        Status.RACE,
        "this store and the load on line 7 by work-item (31, 0, 0)",
    ),
    Planted(
        "missing barrier before LDS is used again",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ float s[64];
  int i = threadIdx.x;
  float sum = 0;
  for (int round = 0; round < 3; ++round) {
    s[i] = x[i] + round;
    __syncthreads();
    sum += s[63 - i];  // BUG
    /* nothing */
  }
  y[i] = sum;
}""",
        ("/* nothing */", "__syncthreads();"),
        Status.RACE,
        "this load and the store on line 7 by work-item",
    ),
    Planted(
        "two work-items write one LDS place",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ float s[32];
  int i = threadIdx.x;
  s[i / 2] = i;  // BUG
  __syncthreads();
  y[i] = s[i / 2];
}""",
        ("s[i / 2] =", "if (i % 2) s[i / 2] ="),
        Status.RACE,
        "write different values",
    ),
    Planted(
        "plain access mixed with atomics",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ int total;
  int i = threadIdx.x;
  if (i == 0) total = 0;
  __syncthreads();
  atomicAdd(&total, 1);  // BUG
  /* nothing */
  y[i] = total;
}""",
        ("/* nothing */", "__syncthreads();"),
        Status.RACE,
        "this atomic and the load on line 9 by work-item (0, 0, 0)",
    ),
    Planted(
        "two work-items of a block write one place of a buffer",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  int i = threadIdx.x;
  y[i / 2] = i;  // BUG
}""",
        ("y[i / 2]", "y[i]"),
        Status.RACE,
        "element 0 of 'y'",
        buffer="y",
    ),
    Planted(
        "two blocks write one place",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  y[threadIdx.x] = blockIdx.x;  // BUG
}""",
        ("= blockIdx.x", "= 1.0f"),
        Status.RACE,
        "race between blocks",
        grid=2,
        buffer="y",
    ),
    Planted(
        "a block reads what another wrote",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  int i = threadIdx.x;
  if (blockIdx.x == 0) y[i] = x[i];
  else if (y[i] > 0) y[i + 64] = 1.0f;  // BUG
}""",
        ("y[i] > 0", "x[i] > 0"),
        Status.RACE,
        "nothing orders blocks",
        grid=2,
        buffer="y",
    ),
    Planted(
        "a block overwrites what another read",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  int i = threadIdx.x;
  if (blockIdx.x == 1) y[i] = x[i];  // BUG
  else y[i + 64] = y[i];
}""",
        ("y[i + 64] = y[i]", "y[i + 64] = x[i]"),
        Status.RACE,
        "race between blocks: this store meets the load on line 5",
        grid=2,
        buffer="y",
    ),
    Planted(
        "read of LDS that nobody wrote",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ float s[64];
  int i = threadIdx.x;
  if (i < 32) s[i] = x[i];
  __syncthreads();
  y[i] = s[i];  // BUG
}""",
        ("if (i < 32) ", ""),
        Status.NONDETERMINISTIC,
        "byte 128 of LDS array 's'",
    ),
    Planted(
        "LDS does not survive the block",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ float s[64];
  int i = threadIdx.x;
  if (blockIdx.x == 0) s[i] = x[i];
  __syncthreads();
  y[i + 64 * blockIdx.x] = s[i];  // BUG
}""",
        ("if (blockIdx.x == 0) ", ""),
        Status.NONDETERMINISTIC,
        "no work-item of this block has written",
        grid=2,
    ),
    Planted(
        "read of an output that nobody wrote",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  int i = threadIdx.x;
  y[i] += x[i];  // BUG
}""",
        ("y[i] += x[i]", "y[i] = x[i]"),
        Status.NONDETERMINISTIC,
        "element 0 of 'y'",
        buffer="y",
        poisoned=True,
    ),
    Planted(
        "misaligned vector load",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  int i = threadIdx.x % 8;
  float4 v = *(const float4*)(x + 4 * i + 1);  // BUG
  if (threadIdx.x < 8) y[threadIdx.x] = v.x + v.y + v.z + v.w;
}""",
        ("4 * i + 1", "4 * i"),
        Status.CRASHED,
        "no multiple of 16 bytes",
        buffer="x",
    ),
    Planted(
        "a barrier that some work-items never reach",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  int i = threadIdx.x;
  if (i >= 40) return;
  y[i] = x[i];
  __syncthreads();  // BUG
  y[i] += 1.0f;
}""",
        ("__syncthreads();", ""),
        Status.RACE,
        "work-item (40, 0, 0) of its block has returned",
    ),
    Planted(
        "barriers on both sides of a branch",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  int i = threadIdx.x;
  if (x[i] < 0) {
    y[i] = 1.0f;
    __syncthreads();  // BUG
  } else {
    y[i] = 2.0f;
    __syncthreads();
  }
}""",
        ("x[i] < 0", "n < 0"),
        Status.RACE,
        "must not stand under a condition that differs within the block",
    ),
    Planted(
        "atomics on LDS that nobody has cleared",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ int count;
  if (n == 0) count = 0;
  __syncthreads();
  atomicAdd(&count, 1);  // BUG
  __syncthreads();
  y[threadIdx.x] = (float)count;
}""",
        ("n == 0", "threadIdx.x == 0"),
        Status.NONDETERMINISTIC,
        "read of LDS that no work-item of this block has written",
    ),
    Planted(
        "atomics of other waves that meet a store under an atomic of its own work-item",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncwarp();
  if (threadIdx.x % warpSize == 0) atomicAdd(&count, 1);  // BUG
  __syncthreads();
  y[threadIdx.x] = (float)count;
}""",
        ("__syncwarp", "__syncthreads"),
        Status.RACE,
        "and the store on line",
        block=2 * N,
    ),
    Planted(
        "atomics of other blocks that meet a store under the block's own atomics",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  if (blockIdx.x == 0 && threadIdx.x == 0) y[0] = 0.0f;
  __syncthreads();
  atomicAdd(&y[0], 1.0f);  // BUG
}""",
        ("y[0] = 0.0f", "atomicExch(&y[0], 0.0f)"),
        Status.RACE,
        "race between blocks: this atomic meets the store on line",
        grid=2,
        buffer="y",
    ),
    Planted(
        "write to a device variable",
        """__device__ float total;
extern "C" __global__ void k(const float* x, float* y, int n) {
  y[threadIdx.x] = total;
  if (threadIdx.x == 63) total = x[0];  // BUG
}""",
        ("total = x[0]", "y[0] = total"),
        Status.UNSUPPORTED,
        "__device__ variables",
    ),
    Planted(
        "integer division by zero",
        """extern "C" __global__ void k(const float* x, float* y, int n) {
  int zero = (int)x[0];  // BUG
  y[threadIdx.x] = (float)(n / zero);
}""",
        ("(int)x[0]", "(int)x[1]"),
        Status.CRASHED,
        "division by zero",
    ),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_planted_defect_is_found_on_its_line_for_its_reason(
    planted: Planted, bench: Bench
) -> None:
    run = _run(bench, planted, planted.source)

    first = run.findings[0]
    assert run.status is planted.status
    assert planted.words in first.message
    assert first.line == _marked_line(planted.source)
    assert first.kernel == "k"
    assert first.buffer == planted.buffer
    assert first.block is not None
    assert first.thread is not None


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_the_honest_twin_has_no_finding(planted: Planted, bench: Bench) -> None:
    assert planted.mend[0] in planted.source
    run = _run(bench, planted, planted.source.replace(*planted.mend))

    assert run.findings == ()
    assert run.status is Status.PASSED


@pytest.mark.parametrize(("elements", "status"), [(50_000, Status.CRASHED), (5_000, Status.PASSED)])
def test_more_private_memory_than_there_is_does_not_reach_another_work_item(
    bench: Bench, elements: int, status: Status
) -> None:
    source = f"""extern "C" __global__ void k(const float* x, float* y, int n) {{
  volatile float mine[{elements}];
  for (int j = 0; j < {elements}; j += 50) mine[j] = x[j % n];
  y[threadIdx.x] = mine[50 * (n - 1)];
}}"""
    buffers = {"x": np.zeros(N, np.float32), "y": np.zeros(N, np.float32)}
    run = bench.run(source, Start("k", ("x", "y", N)), buffers)

    assert run.status is status
    assert all("memory fault" in finding.message for finding in run.findings)


def _run(bench: Bench, planted: Planted, source: str) -> EmulatorRun:
    start = Start(
        "k",
        ("x", "y", N),
        grid=(planted.grid, 1, 1),
        block=(planted.block, 1, 1),
        shared_bytes=planted.shared_bytes,
    )
    x = np.arange(N).astype(planted.dtype)
    x[1:] -= 20.5
    size = N if "past the end" in planted.name else 2 * N
    y = np.full(size, np.nan, planted.dtype)
    poisoned = ["y"] if planted.poisoned else []
    return bench.run(source, start, {"x": x, "y": y}, uninitialised=poisoned)


def _marked_line(source: str) -> int:
    header_lines = 1
    lines = source.splitlines()
    return header_lines + 1 + next(i for i, line in enumerate(lines) if "// BUG" in line)
