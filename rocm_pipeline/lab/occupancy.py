"""How many waves of a kernel one SIMD holds at once.

The register rule is LLVM's (`AMDGPUBaseInfo.cpp`, getNumWavesPerEUWithNumVGPRs) and equals the
`; Occupancy` comment of its assembly. On top of it come what LLVM leaves out because it does not
know the launch: whole blocks only, the block's real size, and LDS with its allocation granule.
"""

from dataclasses import dataclass
from typing import Literal

from rocm_pipeline.lab.architectures import Architecture
from rocm_pipeline.targets.expressions import ceildiv

Limit = Literal["registers", "LDS", "workgroup size", "nothing"]


@dataclass(frozen=True)
class Occupancy:
    """Blocks that fit into one pool (compute unit or WGP), and what that gives one SIMD."""

    blocks_per_pool: int
    waves_per_simd: float
    fraction: float
    """Resident waves over the architecture's maximum, 0 to 1."""
    limited_by: Limit


def waves_by_registers(architecture: Architecture, vgprs: int) -> int:
    """Return the waves that one SIMD's register file holds, at most the architecture's maximum."""
    granule = architecture.vgpr_granule
    allocated = ceildiv(max(vgprs, 1), granule) * granule
    fitting = max(architecture.vgprs_per_lane // allocated, 1)
    return min(fitting, architecture.max_waves_per_simd)


def occupancy(
    architecture: Architecture, *, vgprs: int, lds_bytes: int, block_threads: int
) -> Occupancy:
    """Return the occupancy of a kernel launched with blocks of `block_threads` work-items.

    `vgprs` counts accumulators too on architectures with a unified file; `lds_bytes` is static
    and dynamic LDS of one block. A block that does not fit at all gives an occupancy of zero.
    """
    simds = architecture.simds_per_pool
    waves_per_block = ceildiv(block_threads, architecture.wave)
    most_waves = architecture.max_waves_per_simd * simds
    slots = most_waves if waves_per_block == 1 else architecture.max_blocks_per_pool
    fitting: dict[Limit, int] = {
        "workgroup size": min(most_waves // waves_per_block, slots),
        "registers": waves_by_registers(architecture, vgprs) * simds // waves_per_block,
    }
    if lds_bytes:
        granule = architecture.lds_granule
        fitting["LDS"] = architecture.lds_per_pool // (ceildiv(lds_bytes, granule) * granule)
    blocks = min(fitting.values())
    full = blocks * waves_per_block == most_waves
    limited_by: Limit = "nothing" if full else min(fitting, key=lambda limit: fitting[limit])
    waves = blocks * waves_per_block
    return Occupancy(blocks, waves / simds, waves / most_waves, limited_by)
