"""What is counted of some blocks becomes the work of a grid, and too little of it is a cheat."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from rocm_pipeline.lab.cases import Trial
from rocm_pipeline.lab.emulator import LaunchProfile, SiteKind
from rocm_pipeline.lab.emulator.build import Site
from rocm_pipeline.lab.emulator.profile import Lines, Traffic
from rocm_pipeline.lab.evidence import CompileRecord, KernelResources, Status
from rocm_pipeline.lab.launch_work import LaunchWork
from rocm_pipeline.lab.prediction import CountedLaunch, PredictionFailedError, predict
from rocm_pipeline.lab.sampled import SampledRun
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.launch_plan import BoundLaunch
from rocm_pipeline.targets.spec import Target
from rocm_pipeline.targets.subject import Case
from tests.cheats.hip.honest import SCALE, SCALE_TWICE
from tests.cheats.hip.kernels import Kernel
from tests.cheats.hip.targets import small_target
from tests.lab.slow_trials import record_of

LINE = 64
LINES = 512
"""Lines of 64 bytes that the launch reads, and as many that it writes."""
CASE = Case(symbols={"n": LINES * LINE // 4}, dtypes={"io": DType.FLOAT32}, scalars={"factor": 2.0})


def counted(read: int = LINES, written: int = LINES, **changes: Any) -> LaunchProfile:
    """All blocks of a launch, which share no line."""
    blocks = LINES * LINE // 4 // 256
    profile = LaunchProfile(
        kernel="scale_f32",
        blocks=blocks,
        blocks_run=blocks,
        waves_run=4 * blocks,
        threads_per_block=256,
        barriers=0,
        read=Lines(read, read, read, read),
        written=Lines(written, written, written, written),
        traffic=(),
        operations={},
    )
    return replace(profile, **changes)


def some_of(lines: int, blocks: int) -> LaunchProfile:
    """The first blocks of the launch, which read and write so many lines."""
    return counted(lines // 2, lines // 2, blocks_run=blocks)


def that_must_move(least: int) -> Target:
    fields = small_target("scale").model_dump()
    fields["work"]["bytes"] = str(least)
    return Target.model_validate(fields)


def resources(**changes: Any) -> KernelResources:
    fields: dict[str, Any] = {
        "name": "scale_f32",
        "vgprs": 24,
        "agprs": 0,
        "sgprs": 16,
        "lds_bytes": 0,
        "scratch_bytes": 0,
        "vgpr_spills": 0,
        "sgpr_spills": 0,
        "wave": 64,
        "max_workgroup": 1024,
        "kernarg_bytes": 24,
        "block_threads": 256,
        "waves_per_simd": 8,
        "occupancy": 1,
        "limited_by": "nothing",
        "instructions": {},
    }
    return KernelResources.model_validate(fields | changes)


def compiled(architecture: str, *kernels: KernelResources) -> CompileRecord:
    return CompileRecord(
        architecture=architecture,
        status=Status.PASSED,
        kernels=kernels or (resources(),),
        object_sha256="0" * 64,
    )


def predicted(
    target: Target,
    *profiles: LaunchProfile,
    kernel: Kernel = SCALE,
    compiles: Sequence[CompileRecord] = (compiled("gfx942"),),
    share: float = 1.0,
) -> dict[str, dict[str, float]]:
    """Return the terms of each estimate, by architecture."""
    trial = Trial(CASE, "timed", 1)
    record = record_of(trial, Status.PASSED).model_copy(update={"wave": 64})
    sampled = SampledRun(trial, record, profiles, share)
    found = predict(target, kernel.plan, CASE, sampled, compiles)
    assert all(each.case == CASE for each in found)
    return {each.architecture: each.terms for each in found}


def moved(profile: LaunchProfile, share: float = 1.0) -> float:
    """Return the bytes that the estimate charges at least."""
    terms = predicted(that_must_move(1), profile, share=share)["gfx942"]
    return terms["launch 0 (scale_f32): memory bytes low"]


@pytest.mark.parametrize("lines", [1, 6, 100])
def test_half_of_what_must_be_moved_is_enough_and_a_byte_less_is_a_cheat(lines: int) -> None:
    bytes_moved = 2 * lines * LINE
    assert predicted(that_must_move(2 * bytes_moved), counted(lines, lines))
    with pytest.raises(PredictionFailedError) as refusal:
        predicted(that_must_move(2 * bytes_moved + 2), counted(lines, lines))
    (finding,) = refusal.value.findings
    assert finding.status is Status.CHEAT
    assert finding.message == str(refusal.value)
    assert finding.message == (
        f"moves {bytes_moved} bytes at the timing case {CASE.name}, where any implementation must "
        f"move {2 * bytes_moved + 2}"
    )


def test_what_is_moved_is_that_of_all_launches() -> None:
    both = counted(60, 40), counted(40, 60, kernel="keep_f32")
    compiles = [compiled("gfx942", resources(), resources(name="keep_f32"))]
    assert predicted(that_must_move(400 * LINE), *both, kernel=SCALE_TWICE, compiles=compiles)
    with pytest.raises(PredictionFailedError):
        predicted(that_must_move(400 * LINE + 2), *both, kernel=SCALE_TWICE, compiles=compiles)


def test_a_launch_without_a_profile_is_no_launch_that_moves_nothing() -> None:
    with pytest.raises(ValueError, match="shorter"):
        predicted(that_must_move(1), counted(), kernel=SCALE_TWICE)


def test_a_sample_stands_for_the_grid() -> None:
    assert predicted(that_must_move(400 * LINE), some_of(50, blocks=8))
    with pytest.raises(PredictionFailedError):
        predicted(that_must_move(400 * LINE + 2), some_of(50, blocks=8))


def test_blocks_that_share_lines_move_no_more_than_the_buffers_hold() -> None:
    everything = 2 * LINES * LINE
    shared = some_of(2 * LINES, blocks=1)
    assert predicted(that_must_move(2 * everything), shared)
    with pytest.raises(PredictionFailedError):
        predicted(that_must_move(2 * everything + 2), shared)


def test_workspace_is_a_buffer_like_others() -> None:
    shared = [some_of(2 * LINES, 1), some_of(2 * LINES, 1)]
    compiles = [compiled("gfx942", resources(), resources(name="keep_f32"))]
    least = 2 * 4 * LINES * LINE
    assert predicted(that_must_move(least), *shared, kernel=SCALE_TWICE, compiles=compiles)
    with pytest.raises(PredictionFailedError):
        predicted(that_must_move(least + 2), *shared, kernel=SCALE_TWICE, compiles=compiles)


def test_an_estimate_is_of_the_architectures_of_the_samples_wave_that_compiled() -> None:
    failed = CompileRecord(architecture="gfx90a", status=Status.COMPILE_ERROR, message="no")
    compiles = [compiled("gfx1100"), failed, compiled("gfx950"), compiled("gfx942")]
    found = predicted(that_must_move(1), counted(), compiles=compiles)
    assert list(found) == ["gfx950", "gfx942"]


def test_each_launch_is_estimated_with_the_resources_of_its_kernel() -> None:
    compiles = [compiled("gfx942", resources(vgprs=256), resources(name="keep_f32", vgprs=8))]
    profiles = counted(), counted()
    found = predicted(that_must_move(1), *profiles, kernel=SCALE_TWICE, compiles=compiles)
    waves = {
        name: found["gfx942"][f"launch {number} ({name}): waves per SIMD"]
        for number, name in enumerate(("keep_f32", "scale_f32"))
    }
    assert waves["keep_f32"] > waves["scale_f32"]


@pytest.mark.parametrize(("share", "charged"), [(1.0, 1.0), (0.9, 1.0), (0.8, 1.25), (0.75, 4 / 3)])
def test_what_was_left_unwritten_is_charged_as_if_it_had_been_written(
    share: float, charged: float
) -> None:
    profile = counted(12, 12)
    assert moved(profile, share) == pytest.approx(charged * moved(profile))


def traffic(kind: SiteKind, space: str = "global", **changes: int) -> Traffic:
    figures = dict.fromkeys(
        ("requests", "lanes", "bytes", "lines_64", "lines_128", "bank_cycles", "ideal_cycles",
         "dropped", "serial"), 0,
    )  # fmt: skip
    return Traffic(Site(kind, 1), space, **figures | changes)


TRAFFIC = (
    traffic(SiteKind.LOAD, requests=7, lanes=100, bytes=400, lines_64=30),
    traffic(SiteKind.STORE, requests=5, lanes=100, bytes=400, lines_64=22),
    traffic(SiteKind.ATOMIC, requests=3, lanes=10, bytes=40, lines_64=9),
    traffic(SiteKind.LOAD, "lds", requests=11, bank_cycles=13),
)


def work(instructions: dict[str, int], **changes: Any) -> LaunchWork:
    """The work of a launch of 20 blocks, of which 5 ran, and of half of the outputs."""
    fields: dict[str, Any] = {
        "blocks": 20,
        "blocks_run": 5,
        "barriers": 6,
        "read": Lines(per_block_64=50, per_block_128=1, total_64=40, total_128=1),
        "written": Lines(per_block_64=10, per_block_128=1, total_64=8, total_128=1),
        "traffic": TRAFFIC,
        "operations": {"f32_add": 17, "int_op": 19},
    }
    launch = BoundLaunch("scale_f32", (20, 1, 1), (100, 1, 1), 48, ("x", "y"))
    profile = replace(counted(), **fields | changes)
    return CountedLaunch(launch, profile, touched_bytes=1 << 20, missing=2.0).work(
        resources(instructions=instructions)
    )


def test_counts_are_those_of_the_whole_grid() -> None:
    assert work({}) == LaunchWork(
        blocks=20,
        threads_per_block=100,
        shared_bytes=48,
        transactions=8 * (30 + 22 + 9),
        block_lines=8 * (50 + 10),
        compulsory_lines=8 * (40 + 8),
        loads=8 * 7,
        lds_accesses=8 * 11,
        lds_passes=8 * 13,
        barriers=8 * 6 * 2,
        atomics=8 * 10,
        fp32_operations=8 * 17,
        integer_operations=8 * 19,
    )


@pytest.mark.parametrize(
    ("instructions", "loads", "stores"),
    [
        ({"vmem load 128": 2}, 4, 1),
        ({"vmem store 64": 3}, 1, 2),
        ({"vmem load 128": 1, "vmem load 32": 1, "vmem store 128": 1}, 2.5, 4),
        ({"vmem load 128": 1, "vmem load 32": 3}, 1.75, 1),
        # a compiler cannot split what is narrow already, and a wait is no access
        ({"vmem load 16": 5, "vmem store 8": 1, "vmem wait": 3}, 1, 1),
    ],
)
def test_accesses_that_the_compiler_merged_are_charged_once(
    instructions: dict[str, int], loads: float, stores: float
) -> None:
    found = work(instructions)
    assert found.loads == pytest.approx(8 * 7 / loads)
    assert found.transactions == pytest.approx(8 * (30 / loads + 22 / stores + 9))


def test_code_without_accesses_that_ran_merges_nothing() -> None:
    found = work({"vmem load 128": 2}, traffic=())
    assert (found.loads, found.transactions) == (0, 0)


def test_no_more_is_compulsory_than_the_buffers_hold() -> None:
    launch = BoundLaunch("scale_f32", (20, 1, 1), (100, 1, 1), 0, ("x", "y"))
    lines = CountedLaunch(launch, counted(300, 200), touched_bytes=100 * LINE).distinct_lines
    assert lines == 100
    lines = CountedLaunch(launch, counted(300, 200), touched_bytes=1 << 20).distinct_lines
    assert lines == 500
