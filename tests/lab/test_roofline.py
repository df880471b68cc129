"""The estimator: what must hold for any honest model, and three public measurements."""

from dataclasses import replace
from itertools import pairwise

import pytest

from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.lab.evidence import Estimate, KernelResources
from rocm_pipeline.lab.launch_work import LINE_BYTES, LaunchWork
from rocm_pipeline.lab.roofline import LAUNCH_MICROSECONDS, estimate, estimate_launch, speedup
from rocm_pipeline.targets.spec import ARCHITECTURES, Case

CASE = Case(symbols={"n": 1}, dtypes={})
ELEMENTS = 1 << 26


def _resources(architecture_name: str, /, **changes: object) -> KernelResources:
    fields: dict[str, object] = {
        "name": "k",
        "vgprs": 24,
        "agprs": 0,
        "sgprs": 16,
        "lds_bytes": 0,
        "scratch_bytes": 0,
        "vgpr_spills": 0,
        "sgpr_spills": 0,
        "wave": architecture(architecture_name).wave,
        "max_workgroup": 1024,
        "kernarg_bytes": 24,
        "block_threads": 256,
        "waves_per_simd": 8,
        "occupancy": 1,
        "limited_by": "nothing",
        "instructions": {"vmem load 32": 1, "vmem store 32": 1, "vmem wait": 1},
    }
    return KernelResources.model_validate(fields | changes)


def _copy(name: str, elements: int = ELEMENTS, stride: int = 1) -> LaunchWork:
    """y = x for fp32; with a stride every element has `stride` times its share of a line."""
    wave = architecture(name).wave
    lines = 2 * elements * 4 * min(stride, LINE_BYTES // 4) / LINE_BYTES
    return LaunchWork(
        blocks=elements // 256,
        threads_per_block=256,
        transactions=lines,
        block_lines=lines,
        compulsory_lines=lines,
        loads=elements / wave,
        fp32_operations=elements,
    )


def _estimate(name: str, work: LaunchWork, **resources: object) -> Estimate:
    return estimate(name, CASE, [(work, _resources(name, **resources))])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_large_copy_is_bound_by_memory_and_near_the_peak(name: str) -> None:
    found = _estimate(name, _copy(name))

    least = 8 * ELEMENTS / (architecture(name).memory_gb_per_s * 1e3)
    assert found.bottleneck == "device memory"
    assert least < found.low_microseconds < 1.2 * least
    assert found.high_microseconds < 2.5 * least


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_more_bytes_are_never_faster(name: str) -> None:
    sizes = [1 << power for power in range(10, 28, 2)]
    times = [_estimate(name, _copy(name, size)) for size in sizes]

    lows = [t.low_microseconds for t in times]
    highs = [t.high_microseconds for t in times]
    assert lows == sorted(lows)
    assert highs == sorted(highs)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_strided_access_is_slower_than_coalesced(name: str) -> None:
    coalesced, strided = (_estimate(name, _copy(name, stride=s)) for s in (1, 16))

    assert strided.low_microseconds > 8 * coalesced.low_microseconds
    assert speedup(strided, coalesced).low > 8


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_lines_read_by_many_blocks_cost_only_when_the_cache_is_too_small(name: str) -> None:
    facts = architecture(name)
    shared = replace(_copy(name), block_lines=8 * _copy(name).block_lines)
    fits = max(facts.l2_bytes // facts.l2_domains, facts.infinity_cache_bytes) // 2
    small = replace(shared, compulsory_lines=fits / LINE_BYTES)

    def memory_bytes(work: LaunchWork) -> tuple[float, float]:
        figures = estimate_launch(work, _resources(name), facts).figures
        return figures["memory bytes low"], figures["memory bytes high"]

    low, high = memory_bytes(shared)
    assert high == 8 * low
    assert memory_bytes(small) == (fits, fits)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_higher_occupancy_is_never_slower(name: str) -> None:
    estimates = [_estimate(name, _copy(name), vgprs=vgprs) for vgprs in (24, 64, 96, 128, 200, 256)]

    for more, fewer in pairwise(estimates):
        assert more.low_microseconds <= fewer.low_microseconds
        assert more.high_microseconds <= fewer.high_microseconds


def test_low_occupancy_makes_a_kernel_wait() -> None:
    # One wave a SIMD with one load in flight cannot keep HBM busy.
    few = _estimate("gfx942", _copy("gfx942"), vgprs=512)
    many = _estimate("gfx942", _copy("gfx942"), vgprs=64)

    assert few.bottleneck == "latency"
    assert few.high_microseconds > 2 * many.high_microseconds


def _arithmetic(name: str, per_item: float) -> LaunchWork:
    return replace(_copy(name), fp32_operations=per_item * ELEMENTS)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_twice_the_arithmetic_takes_twice_as_long_when_that_is_the_bound(name: str) -> None:
    one, two = (_estimate(name, _arithmetic(name, n)) for n in (4000, 8000))

    assert one.bottleneck == two.bottleneck == "arithmetic"
    assert two.low_microseconds / one.low_microseconds == pytest.approx(2, rel=0.01)
    assert two.high_microseconds / one.high_microseconds == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_arithmetic_runs_at_the_unpacked_rate_unless_the_code_packs(name: str) -> None:
    facts = architecture(name)
    work = _arithmetic(name, 8000)
    clocks = 8000 * ELEMENTS / (facts.valu_lanes_per_clock * facts.compute_units)
    packed = {"valu dual": 5, "valu packed fp32": 5}

    plain = _estimate(name, work)
    assert plain.low_microseconds == pytest.approx(clocks / facts.clock_mhz, rel=0.01)
    faster = _estimate(name, work, instructions=packed)
    gain = plain.low_microseconds / faster.low_microseconds
    assert gain == pytest.approx(facts.fp32_per_lane, rel=0.01)
    assert faster.high_microseconds == pytest.approx(plain.high_microseconds, rel=0.05)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_transcendental_costs_more_than_an_addition(name: str) -> None:
    work = _arithmetic(name, 1)
    heavy = replace(work, transcendental_operations=4000 * ELEMENTS)
    light = replace(work, fp32_operations=4000 * ELEMENTS)

    gap = _estimate(name, heavy).low_microseconds / _estimate(name, light).low_microseconds
    assert _estimate(name, heavy).bottleneck == "transcendental"
    assert gap == pytest.approx(2 if name == "gfx950" else 4, rel=0.01)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_bank_conflicts_cost_their_passes(name: str) -> None:
    accesses = 400 * ELEMENTS / architecture(name).wave
    passes = accesses * architecture(name).wave / 32
    free = replace(_copy(name), lds_accesses=accesses, lds_passes=passes)
    worst = replace(free, lds_passes=32 * passes)

    assert _estimate(name, worst).bottleneck == "LDS"
    assert _estimate(name, worst).low_microseconds > 8 * _estimate(name, free).low_microseconds


def test_blocks_that_do_not_divide_the_machine_leave_a_tail() -> None:
    units = architecture("gfx942").pools

    def time(blocks: int) -> float:
        work = LaunchWork(blocks=blocks, threads_per_block=256, fp32_operations=blocks * 256 * 1e6)
        return _estimate("gfx942", work).low_microseconds

    assert time(units + 1) == pytest.approx(2 * time(units), rel=0.01)
    assert time(2 * units) == pytest.approx(time(units + 1), rel=0.01)
    assert time(units // 2) == pytest.approx(time(units), rel=0.01)


def test_lanes_beyond_the_block_are_paid_for() -> None:
    def time(threads: int) -> float:
        work = LaunchWork(
            blocks=304, threads_per_block=threads, fp32_operations=304 * threads * 1e6
        )
        return _estimate("gfx942", work).low_microseconds

    assert time(33) == pytest.approx(time(64), rel=0.01)
    assert time(65) == pytest.approx(time(128), rel=0.01)


def test_scratch_makes_the_pessimistic_end_slower() -> None:
    small = _copy("gfx1100", 1 << 20)

    spilling = _estimate("gfx1100", small, scratch_bytes=4000)
    assert spilling.high_microseconds > _estimate("gfx1100", small).high_microseconds


def test_an_empty_launch_costs_its_launch() -> None:
    found = _estimate("gfx1100", LaunchWork(blocks=1, threads_per_block=64))

    assert found.bottleneck == "launch"
    assert found.low_microseconds == LAUNCH_MICROSECONDS.low


def test_the_launches_of_a_plan_add_up() -> None:
    one = _copy("gfx1201"), _resources("gfx1201")
    two = _copy("gfx1201", ELEMENTS // 4), _resources("gfx1201", name="second")

    both = estimate("gfx1201", CASE, [one, two])
    parts = [estimate("gfx1201", CASE, [part]) for part in (one, two)]
    assert both.low_microseconds == pytest.approx(sum(p.low_microseconds for p in parts))
    assert both.high_microseconds == pytest.approx(sum(p.high_microseconds for p in parts))
    assert both.terms["launch low"] == 2 * LAUNCH_MICROSECONDS.low
    assert "launch 1 (second) low" in both.terms


def test_matrix_work_needs_matrix_instructions() -> None:
    work = LaunchWork(blocks=1000, threads_per_block=256, matrix_flops=1e13)

    assert _estimate("gfx942", work).bottleneck == "matrix"
    with pytest.raises(ValueError, match="gfx1030 has no matrix instructions"):
        _estimate("gfx1030", work)


def test_a_speedup_is_the_range_of_both_ends() -> None:
    slow = _estimate("gfx942", _copy("gfx942", stride=16))
    fast = _estimate("gfx942", _copy("gfx942"))

    found = speedup(slow, fast)
    ends = {
        slow.low_microseconds / fast.low_microseconds,
        slow.high_microseconds / fast.high_microseconds,
    }
    assert {found.low, found.high} == ends
    assert speedup(slow, slow).low == speedup(slow, slow).high == 1
    assert speedup(fast, slow).high == pytest.approx(1 / found.low)


def test_a_speedup_compares_like_with_like() -> None:
    with pytest.raises(ValueError, match="one architecture"):
        speedup(_estimate("gfx942", _copy("gfx942")), _estimate("gfx950", _copy("gfx950")))


@pytest.mark.parametrize(
    ("gigabytes", "measured_microseconds"), [(3.097, 2610), (2.931, 2560), (2.139, 1930)]
)
def test_three_public_stencil_profiles_lie_in_their_range(
    gigabytes: float, measured_microseconds: float
) -> None:
    # Seven-point stencils on one MI250X die: HBM bytes from the counters, and the kernel's time.
    # The pessimistic efficiency was chosen to hold them, so this guards it and proves no more.
    lines = gigabytes * 1e9 / LINE_BYTES
    work = LaunchWork(
        blocks=524288,
        threads_per_block=256,
        transactions=lines,
        block_lines=lines,
        compulsory_lines=lines,
    )
    found = _estimate("gfx90a", work)

    assert found.low_microseconds < measured_microseconds < found.high_microseconds
