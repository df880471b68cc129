"""Registers that cost an occupancy step are named only where a few fewer would do."""

import pytest

from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.lab.evidence import KernelResources
from rocm_pipeline.lab.kernel_resources import registers_over_a_step
from rocm_pipeline.lab.occupancy import occupancy


def _resources(name: str, vgprs: int, *, lds: int = 0, threads: int = 256) -> KernelResources:
    facts = architecture(name)
    fits = occupancy(facts, vgprs=vgprs, lds_bytes=lds, block_threads=threads)
    return KernelResources(
        name="k",
        vgprs=vgprs,
        agprs=0,
        sgprs=16,
        lds_bytes=lds,
        scratch_bytes=0,
        vgpr_spills=0,
        sgpr_spills=0,
        wave=facts.wave,
        max_workgroup=1024,
        kernarg_bytes=24,
        block_threads=threads,
        waves_per_simd=fits.waves_per_simd,
        occupancy=fits.fraction,
        limited_by=fits.limited_by,
        instructions={},
    )


@pytest.mark.parametrize(
    ("name", "vgprs", "step"),
    [
        ("gfx942", 129, 128),  # 512 registers: 4 waves of 128, 3 of 136
        ("gfx942", 136, 128),
        ("gfx942", 128, None),
        ("gfx942", 140, None),
        ("gfx942", 65, 64),
        ("gfx942", 64, None),
    ],
)
def test_the_next_step_is_named_when_a_few_registers_fewer_reach_it(
    name: str, vgprs: int, step: int | None
) -> None:
    assert registers_over_a_step(_resources(name, vgprs), architecture(name)) == step


def test_registers_are_not_named_where_something_else_limits() -> None:
    limited = _resources("gfx942", 129, lds=60_000)
    assert limited.limited_by == "LDS"
    assert registers_over_a_step(limited, architecture("gfx942")) is None
