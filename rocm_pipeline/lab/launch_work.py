"""What one launch does, counted: the input of the estimator."""

from dataclasses import dataclass

LINE_BYTES = 64
"""Granule of every line count: what the L2 hands to an L1 in one request."""


@dataclass(frozen=True)
class LaunchWork:
    """Counts over the whole grid of one launch; scale them up when only some blocks were run.

    How a memory profile maps to it: `transactions` are distinct 64-byte lines per wave
    instruction, summed over all (perfectly coalesced fp32 gives 2 for a wave of 32, 4 for 64);
    `block_lines` are distinct lines per block, summed over blocks, with reads and writes of one
    line counted apart; `compulsory_lines` are distinct lines of the launch.
    """

    blocks: int
    threads_per_block: int
    shared_bytes: int = 0
    """LDS given by the launch plan; static LDS is in the kernel's resources."""
    transactions: float = 0
    block_lines: float = 0
    compulsory_lines: float = 0
    loads: float = 0
    """Global load instructions, each counted once a wave that executes it."""
    lds_accesses: float = 0
    """LDS instructions, each counted once a wave that executes it."""
    lds_passes: float = 0
    """Clocks of a 32-bank LDS: for each access, the most words that one bank must deliver.

    A wave of 32 reading 32 neighbouring words needs 1, a wave of 64 needs 2; when all lanes read
    different words of one bank they need 32 and 64.
    """
    barriers: float = 0
    """Barriers, each counted once a wave that passes it."""
    fp32_operations: float = 0
    """Adds, multiplications, comparisons and fused multiply-adds (one each), by every work-item."""
    fp16_operations: float = 0
    fp64_operations: float = 0
    integer_operations: float = 0
    transcendental_operations: float = 0
    """exp, log, sin, cos, sqrt, reciprocals and divisions, by every work-item."""
    matrix_flops: float = 0
    """fp16 or bf16 matrix instructions; a fused multiply-add counts as two."""
    atomics: float = 0
    """Global atomics, by every work-item."""
