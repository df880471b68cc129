"""What the static gate sees: each a seeded bug, and an honest twin that passes without a word."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.static_check import check
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.spec import Target
from tests.lab.conftest import MakeCandidate

HEAD = "#include <hip/hip_runtime.h>\n"


def kernel(body: str, *, bounds: int = 256) -> str:
    return (
        f'{HEAD}extern "C" __global__ void __launch_bounds__({bounds})\n'
        "    scale_f32(const float* x, float* y, int n, float factor) {\n"
        f"  const int i = blockIdx.x * blockDim.x + threadIdx.x;\n{body}}}\n"
    )


PLAIN = "  if (i < n) y[i] = factor * x[i];\n"


def lds(floats: int) -> str:
    return kernel(
        f"  __shared__ float s[{floats}];\n  s[threadIdx.x] = x[i];\n  __syncthreads();\n"
        "  if (i < n) y[i] = factor * s[255 - threadIdx.x];\n"
    )


def live(values: int, *, bounds: int = 256) -> str:
    """So many values of a work-item, all of them needed in every round of a loop."""
    loop = f"#pragma unroll\n  for (int j = 0; j < {values}; ++j)"
    return kernel(
        f"  float r[{values}];\n{loop} r[j] = x[j * 1024 + threadIdx.x];\n"
        f"  for (int k = 0; k < n; ++k) {{\n"
        f"{loop} r[j] = r[j] * r[(j * 7 + 3) % {values}] + x[k];\n"
        f"  }}\n  float sum = factor;\n{loop} sum += r[j];\n  y[i] = sum;\n",
        bounds=bounds,
    )


def indexed(values: int) -> str:
    """A local array with an index that is not known before, too large for registers."""
    return kernel(
        f"  float r[{values}];\n  for (int j = 0; j < {values}; ++j) r[j] = x[j] * factor;\n"
        f"  for (int j = 0; j < n; ++j) r[(j * i) % {values}] += r[(j + i) % {values}];\n"
        f"  if (i < n) y[i] = r[i % {values}];\n"
    )


@dataclass(frozen=True)
class Seeded:
    """A kernel with a bug and its twin without, on one architecture."""

    name: str
    bug: str
    twin: str
    words: str
    status: Status = Status.POLICY_VIOLATION
    architecture: str = "gfx942"
    bug_plan: Mapping[str, object] = field(default_factory=dict[str, object])
    twin_plan: Mapping[str, object] = field(default_factory=dict[str, object])


TABLE = (
    Seeded(
        "a block over 1024",
        kernel(PLAIN, bounds=1024),
        kernel(PLAIN, bounds=1024),
        "block (1025, 1, 1) must hold 1 to 1024 work-items",
        bug_plan={"block": [1025, 1, 1]},
        twin_plan={"block": [1024, 1, 1]},
    ),
    Seeded(
        "a block over the launch bounds",
        kernel(PLAIN),
        kernel(PLAIN),
        "with 257 work-items a block; the kernel allows 256",
        bug_plan={"block": [257, 1, 1]},
        twin_plan={"block": [256, 1, 1]},
    ),
    Seeded(
        "static LDS",
        lds(16 * 1024 + 1),
        lds(16 * 1024),
        "local memory (65540) exceeds limit (65536)",
        status=Status.COMPILE_ERROR,
    ),
    Seeded(
        "static LDS where there is more of it",
        lds(40 * 1024 + 1),
        lds(40 * 1024),
        "local memory (163844) exceeds limit (163840)",
        status=Status.COMPILE_ERROR,
        architecture="gfx950",
    ),
    Seeded(
        "static and dynamic LDS",
        lds(1024),
        lds(1024),
        "needs 65540 bytes of LDS a block (4096 static + 61444 from the launch plan)",
        bug_plan={"shared_bytes": "61444"},
        twin_plan={"shared_bytes": "61440"},
    ),
    Seeded(
        "spilled registers",
        live(160, bounds=1024),
        live(16),
        "registers spilled",
        status=Status.PASSED,
        bug_plan={"block": [1024, 1, 1]},
    ),
    Seeded(
        "scratch memory",
        indexed(500),
        lds(1024),
        "bytes of scratch memory per work-item",
        status=Status.PASSED,
    ),
    Seeded(
        "registers over a step",
        live(61),  # 136 registers by the pinned compiler; the twin has 118
        live(56),
        "136 vector registers cost an occupancy step on gfx942; with 128 or fewer a SIMD holds one",
        status=Status.PASSED,
    ),
)


@pytest.mark.parametrize("seeded", TABLE, ids=lambda seeded: seeded.name)
def test_a_seeded_bug_is_told_and_its_honest_twin_is_not(
    seeded: Seeded, target: Target, toolchain: Toolchain, candidate_of: MakeCandidate
) -> None:
    alone = target.model_copy(update={"architectures": (seeded.architecture,)})
    (wrong,), _ = check(candidate_of(seeded.bug, **seeded.bug_plan), alone, toolchain)
    (right,), _ = check(candidate_of(seeded.twin, **seeded.twin_plan), alone, toolchain)
    assert (wrong.status, right.status) == (seeded.status, Status.PASSED), right.message
    assert seeded.words in wrong.message
    assert right.message == ""
