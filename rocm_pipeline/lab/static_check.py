"""T1: what the compiled code says about a candidate on each architecture, without running it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rocm_pipeline.lab.architectures import Architecture, architecture
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.code_object import CodeObject, KernelMetadata
from rocm_pipeline.lab.device_build import DeviceBuild
from rocm_pipeline.lab.evidence import CompileRecord, KernelResources, Status
from rocm_pipeline.lab.instruction_mix import instruction_mix
from rocm_pipeline.lab.kernel_resources import registers_over_a_step, resources_of
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.lab.wave_assumptions import WaveAssumption, wave_assumptions
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.launch_plan import BoundLaunch, LaunchPlanError
from rocm_pipeline.targets.subject import Subject

_POINTER_BYTES = 8
_SYMBOL_BYTES = 4
_INLINE_ASSEMBLY = ";#ASMSTART"


@dataclass(frozen=True)
class _Passed:
    """One argument as the launch plan passes it."""

    name: str
    kind: str
    size: int


def check(
    candidate: Candidate, target: Subject, toolchain: Toolchain
) -> tuple[tuple[CompileRecord, ...], dict[str, DeviceBuild]]:
    """Compile for every architecture of `target` and hold the result against the launch plan.

    The plan must have passed `plan_check` and the source `policy`. Records come in the order of
    `target.architectures`; builds are by architecture.
    """
    records: list[CompileRecord] = []
    builds: dict[str, DeviceBuild] = {}
    assumed = wave_assumptions(candidate.source)
    for build in toolchain.compile_each(candidate.source, target.architectures):
        records.append(_record(candidate, target, build, assumed))
        builds[build.architecture] = build
    return tuple(records), builds


def _record(
    candidate: Candidate,
    target: Subject,
    build: DeviceBuild,
    assumed: tuple[WaveAssumption, ...],
) -> CompileRecord:
    if build.status is not Status.PASSED:
        return _failed(build, build.status, [build.message])
    facts = architecture(build.architecture)
    if build.unreadable is not None:
        return _failed(build, Status.COMPILE_ERROR, [build.unreadable])
    foreign = build.foreign(candidate.source)
    if foreign is not None:
        return _failed(build, Status.CHEAT, [foreign])
    content = build.content
    try:
        launches = tuple(_launches(candidate, target, facts.wave))
    except (LaunchPlanError, ValueError) as error:
        return _failed(build, Status.POLICY_VIOLATION, [f"launch plan: {error}"])
    complaints = list(
        dict.fromkeys(_complaints(build, content, facts, launches, candidate, target))
    )
    if complaints:
        return _failed(build, Status.POLICY_VIOLATION, complaints)
    kernels = tuple(_resources(build, content, facts, launches))
    notes = [
        build.message,
        *(note for kernel in kernels for note in _notes(kernel, content, facts)),
        *(each.note(facts.name, facts.wave) for each in assumed if each.lanes != facts.wave),
    ]
    return CompileRecord(
        architecture=build.architecture,
        status=Status.PASSED,
        message="\n".join(filter(None, notes)),
        kernels=kernels,
        object_sha256=build.object_sha256,
        code_sha256=content.code_sha256 or None,
    )


def _failed(build: DeviceBuild, status: Status, complaints: Iterable[str]) -> CompileRecord:
    return CompileRecord(
        architecture=build.architecture, status=status, message="\n".join(complaints)
    )


def _launches(candidate: Candidate, target: Subject, wave: int) -> Iterator[BoundLaunch]:
    """Every launch the harness may make, those of the timing cases first."""
    for case in (*target.timing_cases, *target.public_cases, *target.kernel_variants()):
        yield from target.bind(candidate.launch_plan, case, wave).launches


def _complaints(
    build: DeviceBuild,
    content: CodeObject,
    facts: Architecture,
    launches: tuple[BoundLaunch, ...],
    candidate: Candidate,
    target: Subject,
) -> Iterator[str]:
    if _INLINE_ASSEMBLY in build.assembly:
        yield "inline assembly in the compiled code: write it in HIP"
    for launch in launches:
        kernel = content.kernel(launch.kernel)
        if kernel is None:
            have = ", ".join(each.name for each in content.kernels) or "none"
            yield (
                f"the launch plan starts '{launch.kernel}', which the compiled code lacks "
                f'(its kernels: {have}); declare it extern "C" __global__'
            )
            continue
        yield from _argument_complaints(kernel, _passed(launch, candidate, target))
        yield from _launch_complaints(kernel, launch, facts)


def _passed(launch: BoundLaunch, candidate: Candidate, target: Subject) -> tuple[_Passed, ...]:
    workspace = {entry.name for entry in candidate.launch_plan.workspace}

    def argument(name: str) -> _Passed:
        if name in target.tensors or name in workspace:
            return _Passed(name, "pointer", _POINTER_BYTES)
        if name in target.scalars:
            dtype = DType(target.scalars[name].dtype)
            return _Passed(name, dtype.value, dtype.itemsize)
        return _Passed(name, "int32", _SYMBOL_BYTES)

    return tuple(argument(name) for name in launch.args)


def _argument_complaints(kernel: KernelMetadata, passed: tuple[_Passed, ...]) -> Iterator[str]:
    if len(kernel.arguments) != len(passed):
        yield (
            f"kernel '{kernel.name}' has {len(kernel.arguments)} parameters "
            f"({', '.join(argument.name for argument in kernel.arguments)}); "
            f"the launch plan passes {len(passed)} ({', '.join(each.name for each in passed)})"
        )
        return
    for index, (parameter, given) in enumerate(zip(kernel.arguments, passed, strict=True), start=1):
        is_pointer = given.kind == "pointer"
        if parameter.size != given.size or parameter.is_pointer != is_pointer:
            kind = "a pointer" if parameter.is_pointer else f"{parameter.size} bytes by value"
            yield (
                f"parameter {index} '{parameter.name}' of kernel '{kernel.name}' is {kind}; "
                f"the launch plan passes '{given.name}' ({given.kind}, {given.size} bytes)"
            )


def _launch_complaints(
    kernel: KernelMetadata, launch: BoundLaunch, facts: Architecture
) -> Iterator[str]:
    if launch.threads > kernel.max_workgroup:
        yield (
            f"the launch plan starts '{kernel.name}' with {launch.threads} work-items a block; "
            f"the kernel allows {kernel.max_workgroup} (__launch_bounds__)"
        )
    lds = kernel.lds_bytes + launch.shared_bytes
    if lds > facts.lds_per_block:
        yield (
            f"kernel '{kernel.name}' needs {lds} bytes of LDS a block ({kernel.lds_bytes} static "
            f"+ {launch.shared_bytes} from the launch plan); {facts.name} has {facts.lds_per_block}"
        )


def _resources(
    build: DeviceBuild,
    content: CodeObject,
    facts: Architecture,
    launches: tuple[BoundLaunch, ...],
) -> Iterator[KernelResources]:
    mixes = instruction_mix(build.assembly)
    first_launch: dict[str, BoundLaunch] = {}
    for launch in launches:
        first_launch.setdefault(launch.kernel, launch)
    for name, launch in first_launch.items():
        kernel = content.kernel(name)
        assert kernel is not None
        yield resources_of(kernel, launch, facts, mixes.get(name, {}))


def _notes(kernel: KernelResources, content: CodeObject, facts: Architecture) -> Iterator[str]:
    metadata = content.kernel(kernel.name)
    if metadata is not None and metadata.dynamic_stack:
        yield f"{kernel.name}: a stack of unknown size (recursion or a call through a pointer)"
    if kernel.vgpr_spills or kernel.sgpr_spills:
        yield (
            f"{kernel.name}: {kernel.vgpr_spills} vector and {kernel.sgpr_spills} scalar "
            f"registers spilled"
        )
    if kernel.scratch_bytes:
        yield f"{kernel.name}: {kernel.scratch_bytes} bytes of scratch memory per work-item"
    step = registers_over_a_step(kernel, facts)
    if step is not None:
        yield (
            f"{kernel.name}: {kernel.vgprs} vector registers cost an occupancy step on "
            f"{facts.name}; with {step} or fewer a SIMD holds one more wave"
        )
