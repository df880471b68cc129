"""T1 with real compilations: the code object against the launch plan."""

from collections.abc import Callable

import pytest

from rocm_pipeline.lab import code_object
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.device_build import DeviceBuild
from rocm_pipeline.lab.evidence import CompileRecord, Status
from rocm_pipeline.lab.static_check import check
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.spec import ARCHITECTURES, Target

MakeCandidate = Callable[..., Candidate]


def _records(
    candidate: Candidate, target: Target, toolchain: Toolchain
) -> dict[str, CompileRecord]:
    records, builds = check(candidate, target, toolchain)
    assert tuple(builds) == tuple(record.architecture for record in records) == ARCHITECTURES
    return {record.architecture: record for record in records}


def test_an_honest_kernel_passes_everywhere_with_its_resources(
    target: Target, toolchain: Toolchain, candidate_of: MakeCandidate, scale_source: str
) -> None:
    for name, record in _records(candidate_of(scale_source), target, toolchain).items():
        assert record.status is Status.PASSED, record.message
        assert record.message == ""
        (kernel,) = record.kernels
        assert kernel.name == "scale_f32"
        assert kernel.block_threads == 256
        assert kernel.wave == (64 if name.startswith("gfx9") else 32)
        assert (kernel.occupancy, kernel.limited_by) == (1.0, "nothing")
        assert kernel.instructions["vmem load 32"] == 1


def test_a_syntax_error_keeps_its_line(
    target: Target, toolchain: Toolchain, candidate_of: MakeCandidate, scale_source: str
) -> None:
    wrong = candidate_of(scale_source.replace("x[i];", "x[i]"))

    for record in _records(wrong, target, toolchain).values():
        assert record.status is Status.COMPILE_ERROR
        assert "kernel.hip:6:34: error: expected ';'" in record.message


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            "const float* x, float* y, int n",
            "kernel 'scale_f32' has 3 parameters (x, y, n); "
            "the launch plan passes 4 (x, y, n, factor)",
        ),
        (
            "const float* x, float* y, long n, float factor",
            "parameter 3 'n' of kernel 'scale_f32' is 8 bytes by value; "
            "the launch plan passes 'n' (int32, 4 bytes)",
        ),
        (
            "const float* x, float* y, int n, double factor",
            "parameter 4 'factor' of kernel 'scale_f32' is 8 bytes by value; "
            "the launch plan passes 'factor' (float32, 4 bytes)",
        ),
        (
            "const float* x, int n, float* y, float factor",
            "parameter 2 'n' of kernel 'scale_f32' is 4 bytes by value; "
            "the launch plan passes 'y' (pointer, 8 bytes)",
        ),
        (
            "const float* x, long y, int n, float factor",
            "parameter 2 'y' of kernel 'scale_f32' is 8 bytes by value; "
            "the launch plan passes 'y' (pointer, 8 bytes)",
        ),
    ],
)
def test_parameters_that_do_not_match_are_named(
    target: Target,
    toolchain: Toolchain,
    candidate_of: MakeCandidate,
    parameters: str,
    message: str,
) -> None:
    source = f"""\
#include <hip/hip_runtime.h>
extern "C" __global__ void scale_f32({parameters}) {{ if (n < 0) *(float*)x = 1.0f; }}
"""
    for record in _records(candidate_of(source), target, toolchain).values():
        assert record.status is Status.POLICY_VIOLATION
        assert message in record.message


def test_a_kernel_without_its_plain_name_is_missed(
    target: Target, toolchain: Toolchain, candidate_of: MakeCandidate, scale_source: str
) -> None:
    mangled = candidate_of(scale_source.replace('extern "C" ', ""))

    for record in _records(mangled, target, toolchain).values():
        assert record.status is Status.POLICY_VIOLATION
        assert "starts 'scale_f32', which the compiled code lacks" in record.message


def test_a_block_above_the_launch_bounds_is_a_violation(
    target: Target, toolchain: Toolchain, candidate_of: MakeCandidate, scale_source: str
) -> None:
    wide = candidate_of(scale_source, block=[512, 1, 1])

    for record in _records(wide, target, toolchain).values():
        assert record.status is Status.POLICY_VIOLATION
        assert "512 work-items a block; the kernel allows 256" in record.message


LDS_SOURCE = """\
#include <hip/hip_runtime.h>
extern "C" __global__ void __launch_bounds__(256)
    scale_f32(const float* x, float* y, int n, float factor) {
  __shared__ float fixed[10000];
  extern __shared__ float given[];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  fixed[threadIdx.x * 7] = i < n ? x[i] : 0.0f;
  given[threadIdx.x] = factor;
  __syncthreads();
  if (i < n) y[i] = given[255 - threadIdx.x] * fixed[1785 - threadIdx.x * 7];
}
"""


def test_static_and_dynamic_lds_together_must_fit(
    target: Target, toolchain: Toolchain, candidate_of: MakeCandidate
) -> None:
    records = _records(candidate_of(LDS_SOURCE, shared_bytes="32768"), target, toolchain)

    # 40000 + 32768 bytes: too much for 64 KiB, fine for the 160 KiB of gfx950.
    assert records["gfx950"].status is Status.PASSED
    for name in set(ARCHITECTURES) - {"gfx950"}:
        assert records[name].status is Status.POLICY_VIOLATION
        assert (
            f"needs 72768 bytes of LDS a block (40000 static + 32768 from the launch plan); "
            f"{name} has 65536" in records[name].message
        )


def test_dynamic_lds_counts_for_the_occupancy(
    target: Target, toolchain: Toolchain, candidate_of: MakeCandidate
) -> None:
    little = _records(candidate_of(LDS_SOURCE, shared_bytes="1024"), target, toolchain)["gfx950"]
    much = _records(candidate_of(LDS_SOURCE, shared_bytes="100000"), target, toolchain)["gfx950"]

    assert little.kernels[0].waves_per_simd == 3  # 3 blocks of 41 KiB in 160 KiB, 4 waves each
    assert much.kernels[0].waves_per_simd == 1
    assert much.kernels[0].limited_by == "LDS"


def test_static_lds_alone_over_the_limit_is_the_compilers_error(
    target: Target, toolchain: Toolchain, candidate_of: MakeCandidate
) -> None:
    huge = candidate_of(LDS_SOURCE.replace("10000", "20000"), shared_bytes="1024")

    record = _records(huge, target, toolchain)["gfx942"]
    assert record.status is Status.COMPILE_ERROR
    assert "local memory (80000) exceeds limit (65536)" in record.message


def test_spills_are_counted_and_noted(
    target: Target, toolchain: Toolchain, candidate_of: MakeCandidate
) -> None:
    spilling = candidate_of(
        """\
#include <hip/hip_runtime.h>
extern "C" __global__ void __launch_bounds__(1024)
    scale_f32(const float* x, float* y, int n, float factor) {
  float r[160];
#pragma unroll
  for (int i = 0; i < 160; ++i) r[i] = x[i * 1024 + threadIdx.x];
  for (int k = 0; k < n; ++k) {
#pragma unroll
    for (int i = 0; i < 160; ++i) r[i] = r[i] * r[(i * 7 + 3) % 160] + x[k];
  }
  float sum = factor;
#pragma unroll
  for (int i = 0; i < 160; ++i) sum += r[i];
  y[threadIdx.x] = sum;
}
""",
        block=[1024, 1, 1],
    )
    record = _records(spilling, target, toolchain)["gfx942"]

    assert record.status is Status.PASSED
    (kernel,) = record.kernels
    assert kernel.vgpr_spills > 0
    assert kernel.scratch_bytes > 0
    assert kernel.instructions["scratch"] > 0
    assert f"{kernel.vgpr_spills} vector and" in record.message
    assert f"{kernel.scratch_bytes} bytes of scratch" in record.message


def test_recursion_is_noted(
    target: Target, toolchain: Toolchain, candidate_of: MakeCandidate
) -> None:
    recursive = candidate_of(
        """\
#include <hip/hip_runtime.h>
__device__ __noinline__ float tree(float a, int n) {
  return n < 2 ? a : tree(a * 0.5f, n - 1) + tree(a * 0.25f, n - 2);
}
extern "C" __global__ void scale_f32(const float* x, float* y, int n, float factor) {
  y[threadIdx.x] = tree(factor * x[threadIdx.x], n);
}
"""
    )
    record = _records(recursive, target, toolchain)["gfx942"]

    assert record.status is Status.PASSED
    assert "scale_f32: a stack of unknown size" in record.message


def test_assembly_that_the_policy_missed_is_seen_in_the_compiled_code(
    target: Target, toolchain: Toolchain, candidate_of: MakeCandidate, scale_source: str
) -> None:
    hidden = candidate_of(scale_source.replace("if (i < n)", 'asm volatile("s_nop 0"); if (i < n)'))

    for record in _records(hidden, target, toolchain).values():
        assert record.status is Status.POLICY_VIOLATION
        assert "inline assembly" in record.message


class _Swapped(Toolchain):
    """A toolchain whose builds are those of another source."""

    def __init__(self, honest: Toolchain, source: str) -> None:
        self.honest = honest
        self.source = source

    def compile(self, source: str, architecture: str) -> DeviceBuild:
        assert source != self.source
        return self.honest.compile(self.source, architecture)


def test_the_build_of_another_source_is_a_cheat(
    target: Target, toolchain: Toolchain, candidate_of: MakeCandidate, scale_source: str
) -> None:
    swapped = _Swapped(toolchain, scale_source + "// the same code, another source\n")

    for record in _records(candidate_of(scale_source), target, swapped).values():
        assert record.status is Status.CHEAT
        assert "must carry its source's hash" in record.message
        assert record.object_sha256 is None


def test_a_fresh_object_that_cannot_be_read_is_an_error_and_no_cheat(
    target: Target,
    toolchain: Toolchain,
    candidate_of: MakeCandidate,
    scale_source: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = scale_source + "// more kernels than are read\n"
    monkeypatch.setattr(code_object, "MAX_KERNELS", 0)
    words = "the code object cannot be read: 1 kernels; at most 0 are read"

    for record in _records(candidate_of(source), target, toolchain).values():
        assert (record.status, record.message) == (Status.COMPILE_ERROR, words)

    monkeypatch.undo()
    for record in _records(candidate_of(source), target, toolchain).values():
        assert record.status is Status.PASSED, "what could not be read must not be kept"


class _Unread(Toolchain):
    """A toolchain whose objects are none, although it says that they are."""

    def __init__(self) -> None:
        pass

    def compile(self, source: str, architecture: str) -> DeviceBuild:  # noqa: ARG002
        return DeviceBuild(architecture, Status.PASSED, "", b"no object")


def test_a_build_that_passed_without_an_object_is_an_error(
    target: Target, candidate_of: MakeCandidate, scale_source: str
) -> None:
    for record in _records(candidate_of(scale_source), target, _Unread()).values():
        assert record.status is Status.COMPILE_ERROR
        assert record.message.startswith("the code object cannot be read: ")
