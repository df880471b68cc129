"""Profiles of a user's kernels: run on the emulator, played through caches, timed by the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from rocm_pipeline.errors import UserError, one_line
from rocm_pipeline.lab.architectures import Architecture, architecture
from rocm_pipeline.lab.cache_model import CacheTraffic, play
from rocm_pipeline.lab.emulator import (
    BlockSample,
    BuildFailed,
    Emulator,
    EmulatorBuild,
    EmulatorRun,
    LaunchProfile,
)
from rocm_pipeline.lab.emulator.trace import LINE_BYTES, LaunchTrace
from rocm_pipeline.lab.evidence import KernelResources, Status
from rocm_pipeline.lab.instruction_mix import instruction_mix
from rocm_pipeline.lab.kernel_resources import occupancy_of, resources_of
from rocm_pipeline.lab.launch_work import LaunchWork, ModelledTraffic
from rocm_pipeline.lab.prediction import CountedLaunch
from rocm_pipeline.lab.profile_case import ProfileCase
from rocm_pipeline.lab.roofline import LaunchEstimate, estimate_launch
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundLaunch, BoundPlan

MOST_LINES = 400_000
"""Lines that the model of the caches plays, for each launch: some seconds."""
_PROBE_BLOCKS = 3
CPU_SECONDS = 60.0
"""In which some work-item must end; a kernel in which none does counts as hanging."""


@dataclass(frozen=True)
class LaunchReport:
    """One launch on one architecture."""

    launch: BoundLaunch
    build: EmulatorBuild
    profile: LaunchProfile
    caches: CacheTraffic
    kernel: KernelResources
    work: LaunchWork
    estimate: LaunchEstimate


@dataclass(frozen=True)
class ProfileReport:
    """A plan on one architecture."""

    facts: Architecture
    launches: tuple[LaunchReport, ...]


class Profiler:
    """Profiles sources in the sandbox; `cache` holds compiled objects."""

    def __init__(self, sandbox: Sandbox, cache: Path) -> None:
        self._emulator = Emulator(sandbox, cache / "emulator")
        self._toolchain = Toolchain(sandbox, cache / "device")

    def profile(
        self,
        case: ProfileCase,
        architectures: Sequence[str],
        *,
        zeros: bool = False,
        most_lines: int = MOST_LINES,
        cpu_seconds: float = CPU_SECONDS,
    ) -> tuple[ProfileReport, ...]:
        """Return a report for each architecture, smaller waves first, then as they are named.

        Raises `UserError` for a source that does not compile, does not fit its plan, or does on
        the emulator what no kernel may do.
        """
        known = [architecture(name) for name in dict.fromkeys(architectures)]
        reports: list[ProfileReport] = []
        for wave, group in groupby(sorted(known, key=lambda each: each.wave), lambda a: a.wave):
            plan = case.bound(wave)
            buffers = case.buffers(plan, zeros=zeros, wave=wave)
            build = self._build(case, plan, wave)
            run = self._run(case, build, plan, buffers, most_lines, cpu_seconds)
            for facts in group:
                kernels = self._compile(case, plan, facts)
                reports.append(
                    ProfileReport(facts, _launches(build, plan, buffers, run, kernels, facts))
                )
        return tuple(reports)

    def _build(self, case: ProfileCase, plan: BoundPlan, wave: int) -> EmulatorBuild:
        kernels = list(dict.fromkeys(launch.kernel for launch in plan.launches))
        try:
            return self._emulator.build(case.source, kernels, wave)
        except BuildFailed as error:
            raise _does_not_compile(error.diagnostics) from error

    def _run(
        self,
        case: ProfileCase,
        build: EmulatorBuild,
        plan: BoundPlan,
        buffers: Mapping[str, Array],
        most_lines: int,
        cpu_seconds: float,
    ) -> EmulatorRun:
        probe = [BlockSample(min(_PROBE_BLOCKS, launch.blocks)) for launch in plan.launches]
        first = self._execute(case, build, plan, buffers, probe, cpu_seconds, trace=False)
        samples = [
            BlockSample(0, tuple(range(_blocks_to_play(profile, most_lines))))
            for profile in first.profiles
        ]
        return self._execute(case, build, plan, buffers, samples, cpu_seconds, trace=True)

    def _execute(
        self,
        case: ProfileCase,
        build: EmulatorBuild,
        plan: BoundPlan,
        buffers: Mapping[str, Array],
        samples: Sequence[BlockSample],
        cpu_seconds: float,
        *,
        trace: bool,
    ) -> EmulatorRun:
        run = self._emulator.run(
            build,
            plan,
            buffers,
            case.arguments(),
            outputs=(),
            samples=samples,
            profile=True,
            trace=trace,
            cpu_seconds=cpu_seconds,
        )
        if run.status is not Status.PASSED:
            finding = run.findings[0]
            raise UserError(
                f"{finding.status.value}: {finding.message}",
                where=f"kernel.hip:{finding.line}" if finding.line else "kernel.hip",
                fix="Mend the kernel, or give the sizes that it expects.",
            )
        return run

    def _compile(
        self, case: ProfileCase, plan: BoundPlan, facts: Architecture
    ) -> dict[str, KernelResources]:
        build = self._toolchain.compile(case.source, facts.name)
        if build.status is not Status.PASSED or build.unreadable is not None:
            raise _does_not_compile(build.unreadable or build.message)
        mixes = instruction_mix(build.assembly)
        found: dict[str, KernelResources] = {}
        for launch in plan.launches:
            kernel = build.content.kernel(launch.kernel)
            if kernel is None:
                have = ", ".join(each.name for each in build.content.kernels) or "none"
                raise UserError(
                    f"the compiled code for {facts.name} has no kernel '{launch.kernel}' ({have})",
                    where=case.where,
                    fix='Name one of them, or declare it extern "C" __global__.',
                )
            fits = occupancy_of(kernel, launch, facts)
            if not fits.blocks_per_pool:
                raise UserError(
                    f"a block of {launch.kernel} does not fit on {facts.name}: {fits.limited_by}",
                    where=case.where,
                    fix="Take a smaller block or less LDS.",
                )
            instructions = mixes.get(kernel.name, {})
            found[launch.kernel] = resources_of(kernel, launch, facts, instructions)
        return found


def _blocks_to_play(profile: LaunchProfile, most_lines: int) -> int:
    each = max(profile.transactions_64 / profile.blocks_run, 1.0)
    return max(1, min(profile.blocks, int(most_lines / each)))


def _does_not_compile(diagnostics: str) -> UserError:
    lines = [line for line in diagnostics.splitlines() if "error" in line] or [diagnostics]
    return UserError(
        f"does not compile: {one_line(lines[0])}", where="kernel.hip", fix="Mend the source."
    )


def _launches(
    build: EmulatorBuild,
    plan: BoundPlan,
    buffers: Mapping[str, Array],
    run: EmulatorRun,
    kernels: Mapping[str, KernelResources],
    facts: Architecture,
) -> tuple[LaunchReport, ...]:
    return tuple(
        _report(build, launch, profile, trace, buffers, kernels[launch.kernel], facts)
        for launch, profile, trace in zip(plan.launches, run.profiles, run.traces, strict=True)
    )


def _report(
    build: EmulatorBuild,
    launch: BoundLaunch,
    profile: LaunchProfile,
    trace: LaunchTrace,
    buffers: Mapping[str, Array],
    kernel: KernelResources,
    facts: Architecture,
) -> LaunchReport:
    fits = occupancy_of(kernel, launch, facts)
    caches = play(
        trace,
        [site.kind for site in build.sites],
        facts,
        blocks=launch.blocks,
        played=profile.blocks_run,
        blocks_per_pool=fits.blocks_per_pool,
    )
    touched = sum(buffers[name].nbytes for name in set(launch.args) if name in buffers)
    counted = CountedLaunch(launch, profile, touched).work(kernel)
    total = caches.total
    work = replace(
        counted,
        modelled=ModelledTraffic(
            l2_bytes=(total.l2_reads + total.l2_writes) * LINE_BYTES,
            l2_miss_bytes=(total.l2_read_misses + total.memory_writes) * LINE_BYTES,
            memory_bytes=total.memory_bytes,
        ),
    )
    return LaunchReport(
        launch, build, profile, caches, kernel, work, estimate_launch(work, kernel, facts)
    )
