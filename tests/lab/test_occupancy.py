"""Occupancy, held against what LLVM itself computes."""

import re

import pytest

from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.lab.code_object import read_code_object
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.occupancy import occupancy, waves_by_registers
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.spec import ARCHITECTURES


def _hungry(values: int) -> str:
    """A kernel that keeps `values` floats alive across a loop."""
    return f"""\
#include <hip/hip_runtime.h>
extern "C" __global__ void __launch_bounds__(64) hungry(const float* x, float* y, int n) {{
  float r[{values}];
#pragma unroll
  for (int i = 0; i < {values}; ++i) r[i] = x[i * 64 + threadIdx.x];
  for (int k = 0; k < n; ++k) {{
#pragma unroll
    for (int i = 0; i < {values}; ++i) r[i] = r[i] * r[(i * 7 + 3) % {values}] + x[k];
  }}
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < {values}; ++i) sum += r[i] * (i + 1);
  y[threadIdx.x] = sum;
}}
"""


@pytest.mark.parametrize("values", [8, 40, 72, 100, 150])
def test_the_register_limit_is_the_one_llvm_prints(toolchain: Toolchain, values: int) -> None:
    for build in toolchain.compile_each(_hungry(values), ARCHITECTURES):
        name = build.architecture
        assert build.status is Status.PASSED, build.message
        kernel = read_code_object(build.code_object).kernels[0]
        printed = re.search(r"^; Occupancy: (\d+)$", build.assembly, re.MULTILINE)
        assert printed
        waves = waves_by_registers(architecture(name), kernel.vgprs)
        assert waves == int(printed[1]), f"{name}: {kernel.vgprs} registers"


def test_a_small_kernel_fills_the_machine() -> None:
    for name in ARCHITECTURES:
        found = occupancy(architecture(name), vgprs=24, lds_bytes=0, block_threads=256)
        assert found.fraction == 1.0
        assert found.limited_by == "nothing"


def test_registers_limit_by_the_allocation_granule() -> None:
    facts = architecture("gfx942")

    assert occupancy(facts, vgprs=128, lds_bytes=0, block_threads=256).waves_per_simd == 4
    over = occupancy(facts, vgprs=129, lds_bytes=0, block_threads=256)
    assert over.waves_per_simd == 3
    assert over.limited_by == "registers"


def test_lds_limits_by_whole_blocks() -> None:
    facts = architecture("gfx942")

    found = occupancy(facts, vgprs=16, lds_bytes=20_000, block_threads=256)
    assert found.blocks_per_pool == 3
    assert found.limited_by == "LDS"
    assert found.fraction == pytest.approx(3 * 4 / 32)


def test_a_block_is_resident_whole_or_not_at_all() -> None:
    # 168 registers leave 9 waves a SIMD, 36 a WGP; a block of 1024 has 32 of them.
    found = occupancy(architecture("gfx1100"), vgprs=168, lds_bytes=0, block_threads=1024)

    assert waves_by_registers(architecture("gfx1100"), 168) == 9
    assert found.blocks_per_pool == 1
    assert found.waves_per_simd == 8


def test_small_blocks_are_limited_by_their_number() -> None:
    # Two waves need a barrier slot, of which a compute unit has 16; one wave needs none.
    two = occupancy(architecture("gfx90a"), vgprs=16, lds_bytes=0, block_threads=65)
    one = occupancy(architecture("gfx90a"), vgprs=16, lds_bytes=0, block_threads=64)

    assert (two.blocks_per_pool, two.fraction) == (16, 1.0)
    assert (one.blocks_per_pool, one.fraction) == (32, 1.0)


def test_a_block_that_does_not_fit_has_no_occupancy() -> None:
    found = occupancy(architecture("gfx1100"), vgprs=16, lds_bytes=200_000, block_threads=64)

    assert (found.blocks_per_pool, found.fraction, found.limited_by) == (0, 0.0, "LDS")
