"""The emulator: builds kernels for the CPU and runs launch plans on it, checked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from rocm_pipeline.lab.build_cache import BuildCache
from rocm_pipeline.lab.emulator.arguments import check_arguments
from rocm_pipeline.lab.emulator.build import BuildFailed, EmulatorBuild
from rocm_pipeline.lab.emulator.compiler import CpuCompiler
from rocm_pipeline.lab.emulator.findings import Names, read_findings
from rocm_pipeline.lab.emulator.instrumentation import instrument, number_collectives
from rocm_pipeline.lab.emulator.ir import Module, parse_module
from rocm_pipeline.lab.emulator.job import BlockSample, Job, command, write_job
from rocm_pipeline.lab.emulator.outputs import most_output_bytes, split_outputs
from rocm_pipeline.lab.emulator.profile import (
    LaunchProfile,
    ProfiledLaunch,
    profile_bytes,
    read_profile,
)
from rocm_pipeline.lab.emulator.source import prepare
from rocm_pipeline.lab.emulator.symbols import check_references, kernel_parameters
from rocm_pipeline.lab.emulator.trace import (
    MOST_TRACE_BYTES,
    BufferLines,
    LaunchTrace,
    read_traces,
)
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.lab.sandbox import (
    Completed,
    Limits,
    ResultRefused,
    Sandbox,
    read_result,
    temporary_box,
)
from rocm_pipeline.lab.source_hash import carried_hash, hash_of
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundPlan

_MOST_FINDINGS_BYTES = 1 << 20
_MOST_MESSAGE = 2000
# Stacks, LDS, interpreter and libraries.
_BASE_MEMORY = 1 << 30
# Address room for the stacks of all blocks of a grid that wait for each other (runtime/fiber.h).
_MORE_STACKS = 2 << 30
# A buffer's own bytes, its shadow (16 bytes for each element of 1 to 4 bytes), and the lines of
# the profile.
_MEMORY_FACTOR = 40
DEADLINE_SECONDS = 20.0
"""Processor time of a run. An honest one at the sizes that are run whole takes a few seconds."""
HURRIED_SHARE = 1 / 8
"""Part of the deadline that a hurried run gets."""
_GRACE_SECONDS = 10
"""For a run to load and to tell where it is, before it is killed."""
_CPU_FACTOR = 2.5
"""Work-items that end late grant a run a second deadline."""
_WALL_FACTOR = 6
"""Of the deadline: kernels never sleep, so what takes so long had to share the processor."""


@dataclass(frozen=True)
class EmulatorRun:
    """What came of one run.

    PASSED means that every launch ran to its end with nothing found; whether the values are right
    is judged elsewhere. `outputs` and `profiles` are empty unless it passed.
    """

    status: Status
    findings: tuple[Finding, ...]
    outputs: dict[str, Array]
    profiles: tuple[LaunchProfile, ...]
    changed: tuple[str, ...] = ()
    """Watched buffers that do not hold what they held before."""
    later_outputs: tuple[dict[str, Array], ...] = ()
    """Outputs of the rounds after the first."""
    traces: tuple[LaunchTrace, ...] = ()


@dataclass(frozen=True)
class TorchLibrary:
    """A kernel library to load with ctypes, after its runtime (with RTLD_GLOBAL).

    Each kernel is `int hip_emulator_launch_<kernel>(const unsigned grid[3], const unsigned
    block[3], size_t shared_bytes, void** arguments)`, returning 0 when it ran to its end. It is
    neither checked nor safe to call from two threads.
    """

    runtime: bytes
    kernels: bytes


class Emulator:
    """Builds and runs kernels on the CPU, always in the sandbox; safe for several threads."""

    def __init__(self, sandbox: Sandbox, cache: Path, *, portable_fibers: bool = False) -> None:
        """`portable_fibers`: switch work-items by the C library, as on an unknown processor."""
        self._sandbox = sandbox
        self._cache = BuildCache(cache)
        self._compiler = CpuCompiler(sandbox, self._cache, portable_fibers=portable_fibers)

    @cached_property
    def identity(self) -> str:
        """Hash of runtime, headers and compiler: what a verdict depends on beside the kernel."""
        return self._compiler.identity

    def build(self, source: str, kernels: Sequence[str], wave: int) -> EmulatorBuild:
        """Compile `kernels` of `source` for one wave size, 32 or 64; raises BuildFailed.

        What is read from the cache carries the source's hash, or it is compiled again.
        """
        key = self._compiler.key("build", source, *kernels, str(wave))
        content = self._cache.get(key)
        stored = None if content is None else EmulatorBuild.from_bytes(content)
        if stored is not None and stored.is_of(source, kernels, wave):
            return stored
        module = self._module(source, kernels, wave, "-O1")
        parameters = kernel_parameters(module, kernels)
        tables = instrument(module, kernels)
        build = EmulatorBuild(
            source_sha256=hash_of(source),
            library=self._compiler.to_library(module.text(), "-O1", hash_of(source)),
            wave=wave,
            kernels=parameters,
            sites=tuple(tables.sites),
            variables=tuple(tables.variables),
            operations=tuple(tables.operations),
            block_lines=tuple(tables.block_lines),
        )
        self._cache.put(key, build.to_bytes())
        return build

    def library_for_torch(self, source: str, kernels: Sequence[str]) -> TorchLibrary:
        """Compile for plain execution at full speed, wave size 64; raises BuildFailed."""
        key = self._compiler.key("torch", source, *kernels)
        library = self._cache.get(key)
        if library is None or carried_hash(library) != hash_of(source):
            module = self._module(source, kernels, 64, "-O2")
            kernel_parameters(module, kernels)
            number_collectives(module, kernels)
            library = self._compiler.to_library(module.text(), "-O2", hash_of(source))
            self._cache.put(key, library)
        return TorchLibrary(self._compiler.runtime(64), library)

    def run(
        self,
        build: EmulatorBuild,
        plan: BoundPlan,
        buffers: Mapping[str, Array],
        scalars: Mapping[str, np.generic],
        *,
        outputs: Sequence[str],
        uninitialised: Sequence[str] = (),
        watched: Sequence[str] = (),
        reverse: bool = False,
        samples: Sequence[BlockSample | None] = (),
        later_rounds: Sequence[Mapping[str, Array]] = (),
        conditions: str = "",
        profile: bool = False,
        trace: bool = False,
        cpu_seconds: float = DEADLINE_SECONDS,
        hurried: bool = False,
    ) -> EmulatorRun:
        """Run every launch of `plan` and return what was found and written.

        A build whose library does not carry the hash of its source is a CHEAT and is not run.

        `buffers` holds every tensor and workspace; those in `uninitialised` must be written before
        they are read, and those in `watched` are compared with what they held before. `scalars`
        holds symbols as int32 and scalars as float32. `samples` has an entry for each launch: None
        for all of its blocks; with any other, races are not checked.
        `later_rounds` are new contents of the same buffers, for which the plan runs again in the
        same process. Where memory lies and what private memory holds at first, on which nothing may
        depend, is drawn from `conditions`. With `trace`, and `profile`, every request to global
        memory of the profiled blocks is recorded, which takes some 50 bytes each.
        A run in which no work-item ends for `cpu_seconds` is a TIMEOUT; one that goes on, but
        takes longer than that, is INCONCLUSIVE. A hurried one gets `HURRIED_SHARE` of them.
        """
        foreign = build.foreign()
        if foreign is not None:
            return _failed(Finding(status=Status.CHEAT, message=foreign))
        mismatches = check_arguments(build, plan, buffers, scalars)
        if mismatches:
            return _failed(*mismatches)
        job = Job(
            build,
            plan,
            (buffers, *later_rounds),
            scalars,
            outputs,
            uninitialised,
            watched,
            reverse,
            samples,
            conditions,
            profile,
            trace,
            cpu_seconds * (HURRIED_SHARE if hurried else 1),
        )
        with temporary_box() as box, temporary_box() as given:
            argv, readonly = command(given)
            write_job(job, self._compiler.runtime(build.wave), box, given)
            completed = self._sandbox.run(argv, box=box, readonly=readonly, limits=_limits(job))
            return _result(job, completed, box)

    def _module(self, source: str, kernels: Sequence[str], wave: int, optimisation: str) -> Module:
        ir = self._compiler.to_ir(prepare(source, kernels), wave, optimisation)
        try:
            module = parse_module(ir)
        except ValueError as error:
            raise BuildFailed(
                f"error: UNSUPPORTED: the emulator cannot read the compiled code: {error}"
            ) from error
        check_references(module)
        return module


def _limits(job: Job) -> Limits:
    size = job.buffer_bytes
    return Limits(
        wall_seconds=_WALL_FACTOR * job.cpu_seconds + _GRACE_SECONDS,
        cpu_seconds=int(_CPU_FACTOR * job.cpu_seconds + _GRACE_SECONDS),
        memory_bytes=_BASE_MEMORY
        + (_MORE_STACKS if job.build.waits_for_the_grid else 0)
        + _MEMORY_FACTOR * size,
        file_bytes=(64 << 20) + size * len(job.rounds) + (MOST_TRACE_BYTES if job.trace else 0),
    )


def _failed(*findings: Finding) -> EmulatorRun:
    return EmulatorRun(findings[0].status, findings, {}, ())


def _result(job: Job, completed: Completed, box: Path) -> EmulatorRun:
    """Return what came of a run that has ended, from the files it left in `box`.

    The candidate ran in the process that wrote them, so nothing in them is believed unless it is
    whole: what is absent, cut off or garbled is CRASHED, never a pass.
    """
    told = _findings_text(box)
    findings = read_findings(told or "", _names(job))
    late = [f for f in findings if f.status in (Status.TIMEOUT, Status.INCONCLUSIVE)]
    if late or completed.timed_out:
        findings = [finding for finding in findings if finding not in late]
        findings.append(_too_late(job, late))
    elif not findings and completed.returncode != 0:
        tail = completed.stderr.strip()[-_MOST_MESSAGE:]
        findings.append(_crashed(f"the emulator process ended with {completed.returncode}: {tail}"))
    if findings:
        return _failed(*findings)
    if told is None or told:
        return _failed(_crashed("the emulator process left findings that cannot be read"))
    try:
        changed = _changed(job, box)
        first, *later = _outputs(job, box)
        return EmulatorRun(
            Status.PASSED,
            (),
            first,
            _profiles(job, box),
            changed,
            tuple(later),
            _traces(job, box),
        )
    except (ResultRefused, ValueError, RecursionError) as error:
        return _failed(_crashed(f"the emulator process left no usable result: {error}"))


def _too_late(job: Job, told: Sequence[Finding]) -> Finding:
    """One finding from what a run told at its deadline; it tells nothing if it had to be killed.

    A run that was killed with nothing told had too little of the processor, which says nothing
    about its kernels.
    """
    only = job.plan.launches[0].kernel if len(job.plan.launches) == 1 else None
    if not told:
        message = (
            "the run was ended from outside before it had its processor time; judge it again "
            "when less else runs here"
        )
        return Finding(status=Status.INCONCLUSIVE, message=message, kernel=only)
    general = f"the kernels did not finish within {job.cpu_seconds:g} seconds of processor time"
    if told[0].status is Status.TIMEOUT:
        general += (
            ", and no work-item ended in that time; a loop that waits for another block never "
            "ends, because blocks run in any order"
        )
    else:
        general = (
            "the kernels do too much at this size for the emulator: they would not finish within "
            f"{job.cpu_seconds:g} seconds of processor time"
        )
    message = ". ".join([general, *(finding.message for finding in told)])
    return told[0].model_copy(update={"message": message})


def _crashed(message: str) -> Finding:
    return Finding(status=Status.CRASHED, message=message)


def _names(job: Job) -> Names:
    return Names(job.build, job.plan, tuple(job.buffers.items()))


def _findings_text(box: Path) -> str | None:
    """Return what the checker wrote, or None without it: it makes the file before it starts."""
    try:
        return read_result(box, "findings.txt", _MOST_FINDINGS_BYTES).decode(errors="replace")
    except ResultRefused:
        return None


def _changed(job: Job, box: Path) -> tuple[str, ...]:
    """Read result.json, which the driver writes last: did all launches end, what changed?"""
    result = json.loads(read_result(box, "result.json", 1 << 16))
    names = list(job.buffers)
    changed = [name for number, name in enumerate(names) if number in _numbers(result)]
    expected = {
        "launches": len(job.plan.launches) * len(job.rounds),
        "changed": [names.index(name) for name in changed],
    }
    if result != expected:
        raise ValueError("not every launch ran to its end, or it is not a result")
    return tuple(changed)


def _numbers(result: object) -> list[object]:
    changed = result.get("changed") if isinstance(result, dict) else None
    return changed if isinstance(changed, list) else []


def _outputs(job: Job, box: Path) -> tuple[dict[str, Array], ...]:
    return split_outputs(job, read_result(box, "outputs.bin", most_output_bytes(job)))


def _profiles(job: Job, box: Path) -> tuple[LaunchProfile, ...]:
    if not job.profile:
        return ()
    size = profile_bytes(job.build)
    data = read_result(box, "profile.bin", size * len(job.plan.launches))
    if len(data) != size * len(job.plan.launches):
        raise ValueError(f"profile.bin has {len(data)} bytes")
    return tuple(
        read_profile(
            job.build,
            ProfiledLaunch(launch.kernel, launch.blocks, launch.threads),
            data[number * size : (number + 1) * size],
        )
        for number, launch in enumerate(job.plan.launches)
    )


def _traces(job: Job, box: Path) -> tuple[LaunchTrace, ...]:
    if not job.trace:
        return ()
    buffers = [
        BufferLines.of(name, begin, array.nbytes)
        for (name, array), begin in zip(
            job.buffers.items(), job.drawn_conditions.begins, strict=True
        )
    ]
    data = read_result(box, "trace.bin", MOST_TRACE_BYTES)
    return read_traces(data, len(job.plan.launches), len(job.build.sites), buffers)
