"""A time range for a launch from counted work, compiled resources and facts of the architecture.

This is a model, not a measurement. For every resource it computes the least time the counted
work needs there, in an optimistic and a pessimistic reading:

    device memory    bytes / (peak bandwidth * 0.90 | 0.65)
    Infinity Cache   bytes missing L2 / (peak * 0.90 | 0.65)
    L2               requests * 64 B / (peak * 0.90 | 0.65)
    L1               transactions * 64 B / (B per clock and compute unit), on the busiest unit
    arithmetic       lane operations / lanes per clock, on the busiest unit
    transcendental   the same, at the transcendental rate
    matrix           flops / flops per clock, on the busiest unit
    LDS              bank passes, on the busiest unit
    atomics          one a clock and L2 channel | one a clock
    latency          rounds of resident blocks * the chain of waits of one wave (Little's law)

0.90 is what the best streaming kernels reach. 0.65: one MI250X die has 1638 GB/s on paper, 1389
measured, and three public stencil profiles with counted HBM traffic reached 0.80 to 0.86 of the
latter, 0.68 to 0.73 of the former (so 0.65 was chosen to hold them).

Bytes from memory lie between every distinct line once and every block's distinct lines; the
latter only when the launch's data do not fit into L2 (or, behind it, the Infinity Cache). Caches
are cold at the start of a launch.

    low  = launch + max(all terms, optimistic)
    high = launch + max(memory terms, latency) + sum(compute terms), pessimistic

that is, perfect overlap, and no overlap of computing with waiting for memory. Launches add up.

What it does not know: instruction scheduling, address arithmetic the GPU compiler adds or folds,
integer multiplications (slower than additions), divergence inside a wave, TLB misses, DRAM pages,
clocks under power limits, and which compute unit gets which block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from rocm_pipeline.lab.architectures import Architecture, architecture
from rocm_pipeline.lab.evidence import Estimate, KernelResources, Speedup
from rocm_pipeline.lab.instruction_mix import total
from rocm_pipeline.lab.launch_work import LINE_BYTES, LaunchWork, ModelledTraffic
from rocm_pipeline.lab.occupancy import Occupancy, occupancy
from rocm_pipeline.targets.expressions import ceildiv
from rocm_pipeline.targets.spec import Case


@dataclass(frozen=True)
class Range:
    """An optimistic and a pessimistic value."""

    low: float
    high: float

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> "Range":
        return Range(self.low * factor, self.high * factor)


LAUNCH_MICROSECONDS = Range(3.0, 8.0)
"""From one kernel's end to the next one's start in a stream; public measurements, uncertain."""
_EFFICIENCY = Range(0.90, 0.65)
_MODEL_ERROR = Range(0.8, 1.25)
"""Of the cache model, a judgement: fitted to three public profiles, it is 0.1 to 15 % off there."""
_LOADS_AHEAD = Range(2.0, 1.0)
"""Loads in flight per wave, over those that the code issues between two waits."""
_MOST_LOADS_IN_FLIGHT = 32
_LDS_IN_FLIGHT = Range(8.0, 2.0)
_BARRIER_CLOCKS = Range(16.0, 64.0)
_COLLISION_FREE_BYTES = 128
"""An LDS of 32 banks delivers this much in one pass."""

_MEMORY = ("device memory", "Infinity Cache", "L2", "L1", "atomics", "latency")


@dataclass(frozen=True)
class LaunchEstimate:
    """Microseconds of one launch, in all and by resource, and the figures behind them."""

    kernel: str
    time: Range
    terms: Mapping[str, Range]
    figures: Mapping[str, float]


def estimate_launch(
    work: LaunchWork, kernel: KernelResources, facts: Architecture
) -> LaunchEstimate:
    """Return the time range of one launch of `kernel`."""
    fits = occupancy(
        facts,
        vgprs=kernel.vgprs,
        lds_bytes=kernel.lds_bytes + work.shared_bytes,
        block_threads=work.threads_per_block,
    )
    traffic = _Traffic.of(work, kernel, facts)
    terms = {
        **_memory_terms(work, traffic, facts),
        **_compute_terms(work, kernel, facts),
        "latency": _latency(work, kernel, traffic, fits, facts),
    }
    waiting = max(terms[name].high for name in _MEMORY)
    computing = sum(term.high for name, term in terms.items() if name not in _MEMORY)
    time = Range(max(term.low for term in terms.values()), waiting + computing)
    figures = {
        "memory bytes low": traffic.memory.low,
        "memory bytes high": traffic.memory.high,
        "blocks per pool": fits.blocks_per_pool,
        "waves per SIMD": fits.waves_per_simd,
    }
    return LaunchEstimate(kernel.name, time + LAUNCH_MICROSECONDS, terms, figures)


def estimate(
    name: str, case: Case, launches: Sequence[tuple[LaunchWork, KernelResources]]
) -> Estimate:
    """Return the time range of a launch plan, its launches one after the other.

    `name` is a gfx target; the resources must be those of that architecture.
    """
    if not launches:
        raise ValueError("a launch plan has at least one launch")
    facts = architecture(name)
    parts = [estimate_launch(work, kernel, facts) for work, kernel in launches]
    whole = _sum([part.time for part in parts])
    by_resource = {
        resource: _sum([part.terms[resource] for part in parts]) for resource in parts[0].terms
    }
    by_resource["launch"] = LAUNCH_MICROSECONDS.times(len(parts))
    terms = {f"{key} {end}": value for key, r in by_resource.items() for end, value in _ends(r)}
    for index, part in enumerate(parts):
        where = f"launch {index} ({part.kernel})"
        terms |= {f"{where} {end}": value for end, value in _ends(part.time)}
        terms |= {f"{where}: {figure}": value for figure, value in part.figures.items()}
    return Estimate(
        architecture=name,
        case=case,
        low_microseconds=whole.low,
        high_microseconds=whole.high,
        bottleneck=max(by_resource, key=lambda key: by_resource[key].low),
        terms=terms,
    )


def speedup(baseline: Estimate, candidate: Estimate) -> Speedup:
    """Return baseline over candidate as a range.

    Where one resource limits both sides, their errors are mostly shared (the same bandwidth,
    latency, clock, launch cost and overlap assumption enter both) and cancel: the range is that
    of both optimistic and both pessimistic ends. Where the sides lean on different resources
    nothing cancels, and the ends are crossed: best case of one over worst case of the other.
    """
    if (baseline.architecture, baseline.case) != (candidate.architecture, candidate.case):
        raise ValueError("a speed-up compares one case on one architecture")
    before = (baseline.low_microseconds, baseline.high_microseconds)
    after = (candidate.low_microseconds, candidate.high_microseconds)
    if baseline.bottleneck != candidate.bottleneck:
        after = (after[1], after[0])
    ratios = tuple(one / other for one, other in zip(before, after, strict=True))
    return Speedup(
        architecture=candidate.architecture,
        case=candidate.case,
        low=min(ratios),
        high=max(ratios),
    )


@dataclass(frozen=True)
class _Traffic:
    """Bytes that each level below L1 must deliver."""

    l2: Range
    l2_misses: Range
    memory: Range

    @classmethod
    def of(cls, work: LaunchWork, kernel: KernelResources, facts: Architecture) -> "_Traffic":
        if work.modelled is not None:
            return cls._modelled(work.modelled)
        compulsory = work.compulsory_lines * LINE_BYTES
        per_block = max(work.block_lines * LINE_BYTES, compulsory)
        # Spilled registers go through the caches at least once each way, if they are used at all.
        scratch = 2.0 * kernel.scratch_bytes * work.blocks * work.threads_per_block
        requests = Range(per_block, max(work.transactions * LINE_BYTES, per_block) + scratch)
        if compulsory <= facts.l2_bytes / facts.l2_domains:
            misses = Range(compulsory, min(per_block, compulsory * facts.l2_domains))
        else:
            misses = Range(compulsory, per_block)
        in_last_level = compulsory <= facts.infinity_cache_bytes
        return cls(requests, misses, Range(compulsory, compulsory) if in_last_level else misses)

    @classmethod
    def _modelled(cls, traffic: ModelledTraffic) -> "_Traffic":
        def around(value: float) -> Range:
            return Range(value * _MODEL_ERROR.low, value * _MODEL_ERROR.high)

        return cls(
            around(traffic.l2_bytes), around(traffic.l2_miss_bytes), around(traffic.memory_bytes)
        )


def _memory_terms(work: LaunchWork, traffic: _Traffic, facts: Architecture) -> dict[str, Range]:
    per_us = facts.clock_mhz
    l2_per_us = facts.l2_bytes_per_clock * per_us
    channels = facts.l2_bytes_per_clock / LINE_BYTES
    l1_clocks = work.transactions * LINE_BYTES / facts.l1_bytes_per_clock
    l1 = _on_busiest_unit(l1_clocks, work, facts)
    has_last_level = facts.infinity_cache_gb_per_s > 0
    return {
        "device memory": _at(traffic.memory, facts.memory_gb_per_s * 1e3),
        "Infinity Cache": _at(traffic.l2_misses, facts.infinity_cache_gb_per_s * 1e3)
        if has_last_level
        else Range(0, 0),
        "L2": _at(traffic.l2, l2_per_us),
        "L1": Range(l1, l1),
        "atomics": Range(work.atomics / channels / per_us, work.atomics / per_us),
    }


def _compute_terms(
    work: LaunchWork, kernel: KernelResources, facts: Architecture
) -> dict[str, Range]:
    # Lanes beyond the block's end in its last wave take part in every instruction.
    waves = ceildiv(work.threads_per_block, facts.wave)
    padding = waves * facts.wave / work.threads_per_block
    packs_fp32 = total(kernel.instructions, "valu packed fp32") or kernel.instructions.get(
        "valu dual"
    )
    packs_fp16 = kernel.instructions.get("valu packed fp16")
    slow_lanes = (
        work.fp32_operations
        + work.fp16_operations
        + work.integer_operations
        + work.expansion_operations
    )
    fast_lanes = (
        work.fp32_operations / (facts.fp32_per_lane if packs_fp32 else 1)
        + work.fp16_operations / (facts.fp16_per_lane if packs_fp16 else 1)
        + work.integer_operations
    )
    fp64 = work.fp64_operations / facts.fp64_lanes_per_clock
    lanes = facts.valu_lanes_per_clock
    transcendental = work.transcendental_operations / facts.transcendental_lanes_per_clock
    lds = work.lds_passes * _COLLISION_FREE_BYTES / facts.lds_bytes_per_clock

    def busiest(clocks: float) -> float:
        return _on_busiest_unit(clocks * padding, work, facts)

    return {
        "arithmetic": Range(busiest(fast_lanes / lanes + fp64), busiest(slow_lanes / lanes + fp64)),
        "transcendental": _exactly(busiest(transcendental)),
        "matrix": _exactly(_matrix(work, facts)),
        "LDS": _exactly(_on_busiest_unit(lds, work, facts)),
    }


def _matrix(work: LaunchWork, facts: Architecture) -> float:
    if not work.matrix_flops:
        return 0.0
    if not facts.matrix_fp16_flops_per_clock:
        raise ValueError(f"{facts.name} has no matrix instructions")
    clocks = work.matrix_flops / facts.matrix_fp16_flops_per_clock
    return _on_busiest_unit(clocks, work, facts)


def _latency(
    work: LaunchWork,
    kernel: KernelResources,
    traffic: _Traffic,
    fits: Occupancy,
    facts: Architecture,
) -> Range:
    """Rounds of resident blocks, each as long as one wave's chain of waits.

    With W waves in flight, each with m loads outstanding, W * m loads take one latency: Little's
    law. A load waits for memory in the share of requests that no cache can have, else for L2.
    """
    waves = work.blocks * ceildiv(work.threads_per_block, facts.wave)
    resident = max(fits.blocks_per_pool, 1) * facts.pools
    rounds = Range(max(1.0, work.blocks / resident), ceil(work.blocks / resident))
    waits = kernel.instructions.get("vmem wait", 0)
    issued = total(kernel.instructions, "vmem load") / waits if waits else 1.0
    chain = Range(
        *(
            work.loads
            / waves
            * _load_microseconds(missing, traffic.l2.low, facts)
            / min(max(issued, 1.0) * ahead, _MOST_LOADS_IN_FLIGHT)
            + work.lds_accesses / waves * facts.lds_latency_clocks / lds_ahead / facts.clock_mhz
            + work.barriers / waves * barrier / facts.clock_mhz
            for missing, ahead, lds_ahead, barrier in (
                (traffic.memory.low, _LOADS_AHEAD.low, _LDS_IN_FLIGHT.low, _BARRIER_CLOCKS.low),
                (traffic.memory.high, _LOADS_AHEAD.high, _LDS_IN_FLIGHT.high, _BARRIER_CLOCKS.high),
            )
        )
    )
    return Range(chain.low * rounds.low, chain.high * rounds.high)


def _load_microseconds(missing: float, requested: float, facts: Architecture) -> float:
    share = min(missing / requested, 1.0) if requested else 0.0
    return (share * facts.memory_latency_ns + (1 - share) * facts.l2_latency_ns) / 1e3


def _on_busiest_unit(clocks: float, work: LaunchWork, facts: Architecture) -> float:
    """Microseconds when `clocks` of one compute unit are spread over all, in whole blocks."""
    blocks_on_busiest = ceildiv(work.blocks, facts.pools)
    share = blocks_on_busiest / work.blocks / facts.compute_units_per_pool
    return clocks * share / facts.clock_mhz


def _at(amount: Range, peak_per_microsecond: float) -> Range:
    return Range(
        amount.low / (peak_per_microsecond * _EFFICIENCY.low),
        amount.high / (peak_per_microsecond * _EFFICIENCY.high),
    )


def _exactly(value: float) -> Range:
    return Range(value, value)


def _ends(value: Range) -> tuple[tuple[str, float], tuple[str, float]]:
    return ("low", value.low), ("high", value.high)


def _sum(values: Sequence[Range]) -> Range:
    whole = Range(0.0, 0.0)
    for value in values:
        whole += value
    return whole
