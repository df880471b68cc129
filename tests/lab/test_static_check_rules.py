"""T1 without a compiler: what is made of a code object that says this or that."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.code_object import CodeObject, KernelArgument, KernelMetadata
from rocm_pipeline.lab.device_build import DeviceBuild
from rocm_pipeline.lab.evidence import CompileRecord, Status
from rocm_pipeline.lab.source_hash import hash_of
from rocm_pipeline.lab.static_check import check
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.launch_plan import LaunchPlan
from rocm_pipeline.targets.spec import Target
from tests.lab.conftest import SCALE_SOURCE, MakeCandidate

ARGUMENTS = (
    KernelArgument("x", 0, 8, "global_buffer"),
    KernelArgument("y", 8, 8, "global_buffer"),
    KernelArgument("n", 16, 4, "by_value"),
    KernelArgument("factor", 20, 4, "by_value"),
)
KERNEL = KernelMetadata(
    name="scale_f32",
    arguments=ARGUMENTS,
    vgprs=24,
    agprs=3,
    sgprs=16,
    lds_bytes=1000,
    scratch_bytes=0,
    dynamic_stack=False,
    vgpr_spills=0,
    sgpr_spills=0,
    kernarg_bytes=24,
    max_workgroup=256,
    wave=64,
)
UNKNOWN_STACK = "a stack of unknown size (recursion or a call through a pointer)"


class _Made(Toolchain):
    """A toolchain whose builds are made up."""

    def __init__(self, source: str, builds: dict[str, DeviceBuild]) -> None:
        self.source = source
        self.builds = builds

    def compile(self, source: str, architecture: str) -> DeviceBuild:
        assert source == self.source
        return self.builds[architecture]


def built(
    kernels: Iterable[KernelMetadata] = (KERNEL,),
    *,
    source: str = SCALE_SOURCE,
    architecture: str = "gfx942",
    **fields: Any,
) -> DeviceBuild:
    """Return a build that passed, with a code object of these kernels made of `source`."""
    build = DeviceBuild(architecture, Status.PASSED, code_object=b"made up", **fields)
    vars(build)["content"] = CodeObject(architecture, tuple(kernels), hash_of(source))
    return build


def judged(candidate: Candidate, target: Target, build: DeviceBuild) -> CompileRecord:
    alone = target.model_copy(update={"architectures": (build.architecture,)})
    (record,), builds = check(
        candidate, alone, _Made(candidate.source, {build.architecture: build})
    )
    assert builds == {build.architecture: build}
    assert record.architecture == build.architecture
    return record


def complaint(candidate: Candidate, target: Target, build: DeviceBuild) -> str:
    """Return the only complaint about a build that breaks the policy."""
    record = judged(candidate, target, build)
    assert record.status is Status.POLICY_VIOLATION
    assert record.object_sha256 is None
    return record.message


def test_a_kernel_that_fits_its_plan_passes_with_all_that_is_known_of_it(
    target: Target, candidate_of: MakeCandidate
) -> None:
    assembly = "\t.type scale_f32,@function\nscale_f32:\n\tv_add_f32 v0, v0, v1\n.Lfunc_end0:\n"
    build = built(assembly=assembly, message="a warning")
    record = judged(candidate_of(SCALE_SOURCE), target, build)
    assert (record.status, record.message) == (Status.PASSED, "a warning")
    assert record.object_sha256 == build.object_sha256
    (kernel,) = record.kernels
    own = {name: getattr(KERNEL, name) for name in vars(KERNEL) if name != "arguments"}
    assert {name: getattr(kernel, name, False) for name in own} == own
    assert kernel.block_threads == 256
    assert kernel.instructions == {"valu": 1}
    assert (kernel.waves_per_simd, kernel.occupancy) == (8.0, 1.0)


def test_each_architecture_has_its_record_and_its_build_in_order(
    target: Target, candidate_of: MakeCandidate
) -> None:
    failed = DeviceBuild("gfx1100", Status.TIMEOUT, "too long")
    fine = built()
    two = target.model_copy(update={"architectures": ("gfx1100", "gfx942")})
    made = _Made(SCALE_SOURCE, {"gfx942": fine, "gfx1100": failed})
    records, builds = check(candidate_of(SCALE_SOURCE), two, made)
    assert [(r.architecture, r.status, r.message) for r in records] == [
        ("gfx1100", Status.TIMEOUT, "too long"),
        ("gfx942", Status.PASSED, ""),
    ]
    assert list(builds.items()) == [("gfx1100", failed), ("gfx942", fine)]


def test_what_cannot_be_read_and_what_is_of_another_source_differ(
    target: Target, candidate_of: MakeCandidate
) -> None:
    candidate = candidate_of(SCALE_SOURCE)
    unreadable = judged(candidate, target, DeviceBuild("gfx942", Status.PASSED, "", b"no object"))
    assert unreadable.status is Status.COMPILE_ERROR
    assert unreadable.message.startswith("the code object cannot be read")
    foreign = judged(candidate, target, built(source="another"))
    assert foreign.status is Status.CHEAT
    assert "must carry its source's hash" in foreign.message


def test_a_plan_that_cannot_be_bound_is_a_violation(
    target: Target, candidate_of: MakeCandidate
) -> None:
    nowhere = candidate_of(SCALE_SOURCE, grid=["n - 5000000", 1, 1])
    assert complaint(nowhere, target, built()).startswith("launch plan: ")


def test_a_kernel_that_is_not_there_is_missed_beside_those_that_are(
    target: Target, candidate_of: MakeCandidate
) -> None:
    candidate = candidate_of(SCALE_SOURCE)
    words = (
        "the launch plan starts 'scale_f32', which the compiled code lacks "
        '(its kernels: {}); declare it extern "C" __global__'
    )
    others = [replace(KERNEL, name="a"), replace(KERNEL, name="b")]
    assert complaint(candidate, target, built(others)) == words.format("a, b")
    assert complaint(candidate, target, built(())) == words.format("none")


def test_a_missing_kernel_and_a_wrong_one_are_both_told(target: Target) -> None:
    launch = {"grid": [1, 1, 1], "block": [64, 1, 1], "args": ["x"]}
    launches = [launch | {"kernel": "gone"}, launch | {"kernel": "scale_{io}"}]
    plan = LaunchPlan.model_validate({"launches": launches})
    candidate = Candidate(target="scale", source=SCALE_SOURCE, launch_plan=plan)
    missed, wrong = complaint(candidate, target, built()).splitlines()
    assert "starts 'gone'" in missed
    assert wrong == (
        "kernel 'scale_f32' has 4 parameters (x, y, n, factor); the launch plan passes 1 (x)"
    )


@pytest.mark.parametrize(
    ("index", "changes", "is_now", "passes"),
    [
        (0, {"size": 4}, "a pointer", "'x' (pointer, 8 bytes)"),
        (1, {"kind": "by_value"}, "8 bytes by value", "'y' (pointer, 8 bytes)"),
        (2, {"size": 8}, "8 bytes by value", "'n' (int32, 4 bytes)"),
        (3, {"size": 2}, "2 bytes by value", "'factor' (float32, 4 bytes)"),
        (3, {"kind": "global_buffer"}, "a pointer", "'factor' (float32, 4 bytes)"),
    ],
)
def test_a_parameter_of_another_size_or_kind_is_named_once(
    target: Target,
    candidate_of: MakeCandidate,
    index: int,
    changes: dict[str, Any],
    is_now: str,
    passes: str,
) -> None:
    arguments = list(ARGUMENTS)
    arguments[index] = replace(arguments[index], **changes)
    kernel = replace(KERNEL, arguments=tuple(arguments))
    assert complaint(candidate_of(SCALE_SOURCE), target, built([kernel])) == (
        f"parameter {index + 1} '{ARGUMENTS[index].name}' of kernel 'scale_f32' is {is_now}; "
        f"the launch plan passes {passes}"
    )


def test_workspace_and_wide_scalars_are_passed_as_what_they_are(target: Target) -> None:
    wide = target.model_copy(
        update={
            "scalars": {"factor": target.scalars["factor"].model_copy(update={"dtype": "float64"})}
        }
    )
    launch = {
        "kernel": "scale_{io}",
        "grid": [1, 1, 1],
        "block": [64, 1, 1],
        "args": ["x", "w", "n", "factor"],
    }
    workspace = [{"name": "w", "dtype": "float32", "shape": ["n"]}]
    plan = LaunchPlan.model_validate({"launches": [launch], "workspace": workspace})
    candidate = Candidate(target="scale", source=SCALE_SOURCE, launch_plan=plan)
    double = replace(KERNEL, arguments=(*ARGUMENTS[:3], replace(ARGUMENTS[3], size=8)))
    assert judged(candidate, wide, built([double])).status is Status.PASSED
    assert "'factor' (float64, 8 bytes)" in complaint(candidate, wide, built())


@pytest.mark.parametrize(("most", "message"), [(255, "the kernel allows 255"), (256, "")])
def test_a_block_may_be_as_large_as_its_launch_bounds(
    target: Target, candidate_of: MakeCandidate, most: int, message: str
) -> None:
    record = judged(
        candidate_of(SCALE_SOURCE), target, built([replace(KERNEL, max_workgroup=most)])
    )
    assert message in record.message
    assert (record.status is Status.PASSED) == (not message)


@pytest.mark.parametrize(("static", "fits"), [(65535, True), (65536, False)])
def test_static_and_given_lds_may_fill_a_block_and_no_more(
    target: Target, candidate_of: MakeCandidate, static: int, fits: bool
) -> None:
    candidate = candidate_of(SCALE_SOURCE, shared_bytes="1")
    record = judged(candidate, target, built([replace(KERNEL, lds_bytes=static)]))
    assert (record.status is Status.PASSED) == fits
    if not fits:
        assert record.message == (
            "kernel 'scale_f32' needs 65537 bytes of LDS a block (65536 static "
            "+ 1 from the launch plan); gfx942 has 65536"
        )


def test_given_lds_lowers_the_occupancy(target: Target, candidate_of: MakeCandidate) -> None:
    candidate = candidate_of(SCALE_SOURCE, shared_bytes="40000")
    (kernel,) = judged(candidate, target, built()).kernels
    assert (kernel.lds_bytes, kernel.limited_by, kernel.waves_per_simd) == (1000, "LDS", 1.0)


def test_assembly_of_the_source_is_a_violation(target: Target, candidate_of: MakeCandidate) -> None:
    for assembly in ("\t;#ASMSTART\n", ";#ASMSTART"):
        assert complaint(candidate_of(SCALE_SOURCE), target, built(assembly=assembly)) == (
            "inline assembly in the compiled code: write it in HIP"
        )


@pytest.mark.parametrize(
    ("changes", "notes"),
    [
        ({"vgpr_spills": 2}, ["2 vector and 0 scalar registers spilled"]),
        ({"sgpr_spills": 3}, ["0 vector and 3 scalar registers spilled"]),
        ({"scratch_bytes": 8}, ["8 bytes of scratch memory per work-item"]),
        (
            {"dynamic_stack": True},
            ["a stack of unknown size (recursion or a call through a pointer)"],
        ),
        (
            {"sgpr_spills": 3, "scratch_bytes": 8},
            [
                "0 vector and 3 scalar registers spilled",
                "8 bytes of scratch memory per work-item",
            ],
        ),
        (
            {"vgprs": 98, "agprs": 0},
            [
                "98 vector registers cost an occupancy step on gfx942; "
                "with 96 or fewer a SIMD holds one more wave"
            ],
        ),
    ],
)
def test_what_is_worth_a_note_is_noted_for_each_kernel(
    target: Target, candidate_of: MakeCandidate, changes: dict[str, Any], notes: list[str]
) -> None:
    build = built([replace(KERNEL, **changes)], message="a warning")
    record = judged(candidate_of(SCALE_SOURCE), target, build)
    assert record.status is Status.PASSED
    assert record.message.splitlines() == ["a warning", *(f"scale_f32: {note}" for note in notes)]


@pytest.mark.parametrize(("mask", "noted"), [(31, True), (63, False)])
def test_lanes_of_the_other_wave_size_are_noted(
    target: Target, candidate_of: MakeCandidate, mask: int, noted: bool
) -> None:
    lane = f"__device__ float f(float v) {{ return __shfl_xor(v, 16) + (threadIdx.x & {mask}); }}"
    source = f"{SCALE_SOURCE}\n{lane}\n"
    notes = judged(candidate_of(source), target, built(source=source)).message
    assert ("takes a wave to have 32 lanes; those of gfx942 have 64" in notes) == noted
    assert bool(notes) == noted


@pytest.mark.parametrize(("read", "recorded"), [("abc", "abc"), ("", None)])
def test_the_hash_of_the_machine_code_is_recorded_where_there_is_one(
    target: Target, candidate_of: MakeCandidate, read: str, recorded: str | None
) -> None:
    build = built()
    vars(build)["content"] = replace(build.content, code_sha256=read)
    assert judged(candidate_of(SCALE_SOURCE), target, build).code_sha256 == recorded


def test_a_launch_of_the_timing_cases_tells_the_resources(
    target: Target, candidate_of: MakeCandidate
) -> None:
    """The same kernel is started with less LDS on the public case, which comes later."""
    candidate = candidate_of(SCALE_SOURCE, shared_bytes="n // 128")
    (kernel,) = judged(candidate, target, built()).kernels
    assert (kernel.limited_by, kernel.waves_per_simd) == ("LDS", 1.0)


@pytest.mark.parametrize("where", ["timing_cases", "public_cases", "variants"])
def test_every_launch_that_the_harness_may_make_is_checked(
    target: Target, candidate_of: MakeCandidate, where: str
) -> None:
    """Only one launch needs too much LDS: of a timed case, the second public one, or a choice."""
    small, large = (
        target.public_cases[0].model_copy(update={"symbols": {"n": size}})
        for size in (1000, 100_000)
    )
    update: dict[str, Any] = {"timing_cases": (small,), "public_cases": (small,)}
    if where == "variants":
        choices = target.symbols["n"].model_copy(update={"max": None, "choices": (1000, 100_000)})
        update["symbols"] = {"n": choices}
    else:
        update[where] = (small, large)
    candidate = candidate_of(SCALE_SOURCE, shared_bytes="n")
    changed = target.model_copy(update=update)
    assert "needs 101000 bytes of LDS" in complaint(candidate, changed, built())
