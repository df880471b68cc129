"""System prompts: what is the same for every target, so that a night's calls share a prefix.

First what holds for all work (the harness, the hardware, the HIP subset), then what one purpose
needs. Nothing in them depends on a target, a date or the records.
"""

from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from rocm_pipeline.lab.architectures import Architecture, architecture
from rocm_pipeline.planning.claude.call import Block
from rocm_pipeline.planning.claude.form import (
    MAX_CONSTRAINT,
    MAX_CONSTRAINTS,
    MAX_HOURS,
    MAX_OBJECTIVE,
    MAX_SPEEDUP,
    MAX_TASKS,
    MIN_HOURS,
)
from rocm_pipeline.planning.plan import Work
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import ARCHITECTURES

_COLUMNS = {
    "family": "family",
    "product": "product",
    "lanes in a wave": "wave",
    "compute units": "compute_units",
    "compute units in a pool": "compute_units_per_pool",
    "SIMDs in a compute unit": "simds_per_compute_unit",
    "waves on a SIMD, at most": "max_waves_per_simd",
    "registers of a SIMD, by lane": "vgprs_per_lane",
    "granule of registers": "vgpr_granule",
    "blocks in a pool, at most": "max_blocks_per_pool",
    "LDS of a pool, bytes": "lds_per_pool",
    "LDS of a block at most, bytes": "lds_per_block",
    "LDS bytes a clock and compute unit": "lds_bytes_per_clock",
    "highest clock, MHz": "clock_mhz",
    "device memory, GB/s": "memory_gb_per_s",
    "device memory latency, ns": "memory_latency_ns",
    "L2, bytes": "l2_bytes",
    "L2 caches": "l2_domains",
    "L2 latency, ns": "l2_latency_ns",
    "Infinity Cache, bytes": "infinity_cache_bytes",
    "Infinity Cache, GB/s": "infinity_cache_gb_per_s",
    "lanes of arithmetic a clock and compute unit": "valu_lanes_per_clock",
    "float32 operations at once in a lane": "fp32_per_lane",
    "float16 operations at once in a lane": "fp16_per_lane",
    "float64 lanes a clock": "fp64_lanes_per_clock",
    "transcendental lanes a clock": "transcendental_lanes_per_clock",
}
"""Rows of the table of architectures: what each says, and the fact it shows."""


@dataclass(frozen=True)
class _Row:
    name: str
    values: tuple[str, ...]


@cache
def knowledge() -> str:
    """Return what every planner is told first: data rules, harness, hardware, schedules."""
    known = [architecture(name) for name in ARCHITECTURES]
    rows = [_row(label, field, known) for label, field in _COLUMNS.items()]
    full = tuple(str(a.vgprs_per_lane // a.max_waves_per_simd) for a in known)
    rows.append(_Row("registers for each wave when all are resident", full))
    template = _environment().get_template("knowledge.md")
    suffixes = " ".join(dtype.suffix for dtype in DType)
    return template.render(architectures=known, facts=rows, suffixes=suffixes)


@cache
def planner_instructions() -> str:
    """Return the planner's own part."""
    template = _environment().get_template("planner.md")
    return template.render(
        max_objective=MAX_OBJECTIVE,
        max_constraints=MAX_CONSTRAINTS,
        max_constraint=MAX_CONSTRAINT,
        min_hours=f"{MIN_HOURS:g}",
        max_hours=f"{MAX_HOURS:g}",
        max_speedup=f"{MAX_SPEEDUP:g}",
        max_testing=MAX_TASKS[Work.TESTING],
        max_kernel=MAX_TASKS[Work.KERNEL],
    )


def hint_instructions(max_hint: int) -> str:
    """Return the part of whoever gives a hint of at most `max_hint` characters."""
    return _environment().get_template("hint.md").render(max_hint=max_hint)


def planner_system() -> tuple[Block, ...]:
    """Return the planner's system prompt, all of it cached."""
    return Block(knowledge(), cached=True), Block(planner_instructions(), cached=True)


def hint_system(max_hint: int) -> tuple[Block, ...]:
    """Return the system prompt of a hint, which shares its first block with the planner's."""
    return Block(knowledge(), cached=True), Block(hint_instructions(max_hint))


def _row(label: str, field: str, known: list[Architecture]) -> _Row:
    return _Row(label, tuple(_shown(getattr(facts, field)) for facts in known))


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@cache
def _environment() -> Environment:
    # plain text for a model, never a page: nothing to escape
    return Environment(
        loader=PackageLoader("rocm_pipeline.planning.claude", "prompts"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
