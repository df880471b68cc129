"""What a compiled kernel needs on an architecture when a launch starts it."""

from collections.abc import Mapping

from rocm_pipeline.lab.architectures import Architecture
from rocm_pipeline.lab.code_object import KernelMetadata
from rocm_pipeline.lab.evidence import KernelResources
from rocm_pipeline.lab.occupancy import Occupancy, occupancy, waves_by_registers
from rocm_pipeline.targets.launch_plan import BoundLaunch

_FEW_REGISTERS = 8
"""So many a programmer can mostly give up: one value less kept over a loop, one unrolling less."""


def registers_over_a_step(kernel: KernelResources, facts: Architecture) -> int | None:
    """Return with how many vector registers a SIMD would hold one more wave; None if far fewer.

    None too where registers are not what limits the occupancy.
    """
    if kernel.limited_by != "registers":
        return None
    now = waves_by_registers(facts, kernel.vgprs)
    fewer = range(kernel.vgprs - 1, max(kernel.vgprs - _FEW_REGISTERS, 1) - 1, -1)
    return next((count for count in fewer if waves_by_registers(facts, count) > now), None)


def occupancy_of(
    kernel: KernelMetadata | KernelResources, launch: BoundLaunch, facts: Architecture
) -> Occupancy:
    """Return how many of the launch's blocks an architecture holds at once."""
    return occupancy(
        facts,
        vgprs=kernel.vgprs,
        lds_bytes=kernel.lds_bytes + launch.shared_bytes,
        block_threads=launch.threads,
    )


def resources_of(
    kernel: KernelMetadata,
    launch: BoundLaunch,
    facts: Architecture,
    instructions: Mapping[str, int],
) -> KernelResources:
    """Return the kernel's resources; `instructions` counts its instructions by class."""
    fits = occupancy_of(kernel, launch, facts)
    return KernelResources(
        name=kernel.name,
        vgprs=kernel.vgprs,
        agprs=kernel.agprs,
        sgprs=kernel.sgprs,
        lds_bytes=kernel.lds_bytes,
        scratch_bytes=kernel.scratch_bytes,
        vgpr_spills=kernel.vgpr_spills,
        sgpr_spills=kernel.sgpr_spills,
        wave=kernel.wave,
        max_workgroup=kernel.max_workgroup,
        kernarg_bytes=kernel.kernarg_bytes,
        block_threads=launch.threads,
        waves_per_simd=fits.waves_per_simd,
        occupancy=fits.fraction,
        limited_by=fits.limited_by,
        instructions=dict(instructions),
    )
