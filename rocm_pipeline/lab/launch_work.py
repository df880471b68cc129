"""What one launch does, counted: the input of the estimator."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

LINE_BYTES = 64
"""Granule of every line count: what the L2 hands to an L1 in one request."""


_ONE_INSTRUCTION = {"add", "mul", "fma", "compare", "min", "round"}
_MOVES = {"int_op", "convert", "select"}
_FUNCTIONS = {
    # name: (transcendental instructions, other vector instructions around them at most)
    "div": (1, 10),
    "rem": (1, 16),
    "sqrt": (1, 16),
    "exp": (1, 13),
    "exp2": (1, 7),
    "log": (1, 12),
    "log2": (1, 7),
    "log10": (1, 12),
    "sin": (0, 30),
    "cos": (0, 30),
    "tanh": (2, 37),
    "erf": (1, 39),
    "pow": (1, 153),
}
"""What one fp32 operation compiles to with this toolchain and its headers. The fast forms
(`__expf`, `__fdividef`) need the transcendental instruction and at most two others."""


@dataclass(frozen=True)
class ModelledTraffic:
    """Bytes of a launch that each level must deliver, as the model of the caches has them."""

    l2_bytes: float
    l2_miss_bytes: float
    memory_bytes: float


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
    """Clocks of a 32-bank LDS: for each access, the most words that one bank must deliver, 32
    lanes at a time.

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
    expansion_operations: float = 0
    """Vector operations around precise functions and divisions; fast forms do without them."""
    matrix_flops: float = 0
    """fp16 or bf16 matrix instructions; a fused multiply-add counts as two."""
    atomics: float = 0
    """Global atomics, by every work-item."""
    modelled: ModelledTraffic | None = None
    """Without it the bytes lie between bounds: every line once, and every block's lines."""

    def with_operations(self, operations: Mapping[str, float]) -> "LaunchWork":
        """Return this work with its arithmetic taken from counts by kind, over all work-items.

        Kinds are `f32_add`, `f16_fma`, `f32_exp`, `int_op`, `convert`, `select` and so on; those
        that cost no vector instruction (loads, branches, signs) and unknown ones count nothing.
        bf16 is computed in fp32; fp64 functions are fp64 arithmetic.
        """
        lanes = {"f16": 0.0, "f32": 0.0, "f64": 0.0}
        integer = transcendental = expansion = 0.0
        for kind, count in operations.items():
            if kind in _MOVES:
                integer += count
                continue
            prefix, _, operation = kind.partition("_")
            element = "f32" if prefix == "bf16" else prefix
            if element not in lanes:
                continue
            if operation in _ONE_INSTRUCTION:
                lanes[element] += count
            elif operation in _FUNCTIONS:
                special, around = _FUNCTIONS[operation]
                if element == "f64":
                    lanes[element] += (special + around) * count
                else:
                    transcendental += special * count
                    expansion += around * count
        return replace(
            self,
            fp16_operations=lanes["f16"],
            fp32_operations=lanes["f32"],
            fp64_operations=lanes["f64"],
            integer_operations=integer,
            transcendental_operations=transcendental,
            expansion_operations=expansion,
        )
