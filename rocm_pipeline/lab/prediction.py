"""Estimates for a candidate: counted on the CPU emulator, timed by the roofline model.

For each timing case a sample of blocks runs at the case's full size, once for each wave size; the
counts are scaled to the whole grid and handed to the model of each architecture.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.lab.cases import draw_tensor, scalar_values
from rocm_pipeline.lab.emulator import Emulator, EmulatorBuild, LaunchProfile, SiteKind
from rocm_pipeline.lab.evidence import CompileRecord, Estimate, Finding, KernelResources, Status
from rocm_pipeline.lab.execution import Wave, allocate
from rocm_pipeline.lab.launch_work import LINE_BYTES, LaunchWork
from rocm_pipeline.lab.roofline import estimate
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.expressions import ceildiv
from rocm_pipeline.targets.launch_plan import BoundLaunch, BoundPlan, LaunchPlan
from rocm_pipeline.targets.spec import BoundTensor, Case, Role, Target

MOST_BLOCKS = 6
"""Blocks run of each launch, spread over its grid: first, last and in between."""
FEWEST_BLOCKS = 2
SAMPLE_OPERATIONS = 20_000_000
"""Operations that a sample should not exceed; heavy blocks are run fewer times."""
_DRAWN = 1 << 16
"""Elements drawn of each input; large inputs repeat them, since only addresses matter here."""


LEAST_TRAFFIC = 0.5
"""Share of the bytes any implementation must move; a kernel below it skips work at this size."""


class PredictionFailedError(Exception):
    """The candidate does not do its work at a timing case's size; `findings` says what was seen."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(findings[0].message)
        self.findings = tuple(findings)


class Predictor:
    """Estimates launch plans of a target."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def estimate(
        self,
        target: Target,
        plan: LaunchPlan,
        builds: Mapping[Wave, EmulatorBuild],
        compiles: Sequence[CompileRecord],
    ) -> tuple[Estimate, ...]:
        """Return one estimate for each architecture that compiled and each timing case."""
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            parts = [
                pool.submit(self._for_wave, target, plan, case, wave, build, compiles)
                for case in target.timing_cases
                for wave, build in builds.items()
            ]
            return tuple(estimate for part in parts for estimate in part.result())

    def _for_wave(
        self,
        target: Target,
        plan: LaunchPlan,
        case: Case,
        wave: Wave,
        build: EmulatorBuild,
        compiles: Sequence[CompileRecord],
    ) -> list[Estimate]:
        wanted = [
            record
            for record in compiles
            if record.status is Status.PASSED and architecture(record.architecture).wave == wave
        ]
        if not wanted:
            return []
        bound = target.bind(plan, case, wave)
        counted = self._count(target, case, bound, build)
        return [
            estimate(
                record.architecture,
                case,
                [
                    (launch.work(kernel := _kernel(record, launch.name)), kernel)
                    for launch in counted
                ],
            )
            for record in wanted
        ]

    def _count(
        self, target: Target, case: Case, bound: BoundPlan, build: EmulatorBuild
    ) -> list["CountedLaunch"]:
        memory = allocate(target, bound, case, _repeated_inputs(target, case))
        run = self._emulator.run(
            build,
            bound,
            memory.buffers,
            scalar_values(target, case),
            outputs=(),
            # what a launch that is only sampled leaves unwritten is read by the next one
            uninitialised=memory.uninitialised if len(bound.launches) == 1 else (),
            sample_blocks=_sample_size(target, case, bound),
            profile=True,
        )
        if run.status is not Status.PASSED:
            raise PredictionFailedError([_at_size(case, finding) for finding in run.findings])
        launches = [
            CountedLaunch(
                launch,
                profile,
                touched_bytes=sum(
                    memory.buffers[name].nbytes
                    for name in set(launch.args)
                    if name in memory.buffers
                ),
            )
            for launch, profile in zip(bound.launches, run.profiles, strict=True)
        ]
        _require_traffic(target, case, launches)
        return launches


@dataclass(frozen=True)
class CountedLaunch:
    """A launch with the profile of the blocks that were run of it."""

    launch: BoundLaunch
    profile: LaunchProfile
    touched_bytes: int
    """Size of all buffers among its arguments."""

    @property
    def name(self) -> str:
        return self.launch.kernel

    @property
    def distinct_lines(self) -> float:
        """Distinct lines of the whole grid.

        Blocks share lines: the sample's distinct lines scale to no more than there are.
        """
        seen = self.profile.read.total_64 + self.profile.written.total_64
        return min(self.profile.scale * seen, self.touched_bytes / LINE_BYTES)

    def work(self, kernel: KernelResources) -> LaunchWork:
        """Return the counts of the whole grid, as `kernel` was compiled.

        The emulator executes accesses as the source writes them; the GPU's compiler merges
        neighbouring ones of a work-item into wide instructions. How far it did is taken from the
        widths in the compiled code, so that a kernel is not charged for loads that it never does.
        """
        profile, scale = self.profile, self.profile.scale
        loads = _merging(kernel, "vmem load", profile, SiteKind.LOAD)
        stores = _merging(kernel, "vmem store", profile, SiteKind.STORE)
        transactions = (
            profile.transactions_of(SiteKind.LOAD) / loads
            + profile.transactions_of(SiteKind.STORE) / stores
            + profile.transactions_of(SiteKind.ATOMIC)
        )
        work = LaunchWork(
            blocks=self.launch.blocks,
            threads_per_block=self.launch.threads,
            shared_bytes=self.launch.shared_bytes,
            transactions=scale * transactions,
            block_lines=scale * (profile.read.per_block_64 + profile.written.per_block_64),
            compulsory_lines=self.distinct_lines,
            loads=scale * profile.global_loads / loads,
            lds_accesses=scale * profile.lds_requests,
            lds_passes=scale * profile.lds_cycles,
            barriers=scale * profile.barriers * ceildiv(self.launch.threads, kernel.wave),
            atomics=scale * profile.global_atomics,
        )
        return work.with_operations(
            {kind: scale * count for kind, count in profile.operations.items()}
        )


def _require_traffic(target: Target, case: Case, launches: Sequence[CountedLaunch]) -> None:
    """Refuse a kernel that is fast because it does nothing at the size it is timed at."""
    least = target.work_of(case)[0]
    moved = sum(launch.distinct_lines for launch in launches) * LINE_BYTES
    if moved < LEAST_TRAFFIC * least:
        message = (
            f"moves {moved:.0f} bytes at the timing case {case.name}, where any implementation "
            f"must move {least}"
        )
        raise PredictionFailedError([Finding(status=Status.CHEAT, message=message)])


def _at_size(case: Case, finding: Finding) -> Finding:
    return finding.model_copy(update={"message": f"at {case.name}: {finding.message}"})


def _merging(kernel: KernelResources, prefix: str, profile: LaunchProfile, kind: SiteKind) -> float:
    """How many accesses of the source one compiled instruction does, at least one."""
    widths = {
        int(name.rsplit(" ", 1)[1]) / 8: count
        for name, count in kernel.instructions.items()
        if name.startswith(prefix)
    }
    compiled, executed = sum(widths.values()), profile.bytes_per_access(kind)
    if not compiled or not executed:
        return 1.0
    return max(1.0, sum(w * n for w, n in widths.items()) / compiled / executed)


def _sample_size(target: Target, case: Case, bound: BoundPlan) -> int:
    operations = target.work_of(case)[1]
    blocks = max(launch.blocks for launch in bound.launches)
    affordable = SAMPLE_OPERATIONS * blocks // max(operations, 1)
    return max(FEWEST_BLOCKS, min(MOST_BLOCKS, affordable))


def _kernel(record: CompileRecord, name: str) -> KernelResources:
    return next(kernel for kernel in record.kernels if kernel.name == name)


def _repeated_inputs(target: Target, case: Case) -> dict[str, Array]:
    return {
        tensor.name: _repeated(target, tensor, case)
        for tensor in target.tensors_for(case)
        if tensor.role is not Role.OUTPUT
    }


def _repeated(target: Target, tensor: BoundTensor, case: Case) -> Array:
    size = min(int(np.prod(tensor.shape)), _DRAWN)
    few = draw_tensor(target, replace(tensor, shape=(size,)), case, np.random.default_rng(0))
    return np.resize(few, tensor.shape)
