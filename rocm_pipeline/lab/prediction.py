"""Estimates for a candidate: counted on the CPU emulator, timed by the roofline model.

For each timing case a sample of blocks runs at the case's full size, once for each wave size
(`sampled.py`); the counts are scaled to the whole grid and handed to the model of each
architecture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.lab.emulator import LaunchProfile, SiteKind
from rocm_pipeline.lab.evidence import CompileRecord, Estimate, Finding, KernelResources, Status
from rocm_pipeline.lab.launch_work import LINE_BYTES, LaunchWork
from rocm_pipeline.lab.roofline import estimate
from rocm_pipeline.lab.sampled import FULL_SHARE, SampledRun
from rocm_pipeline.targets.expressions import ceildiv
from rocm_pipeline.targets.launch_plan import BoundLaunch, BoundPlan, LaunchPlan
from rocm_pipeline.targets.subject import Case, Subject

LEAST_TRAFFIC = 0.5
"""Share of the bytes any implementation must move; a kernel below it skips work at this size."""


class PredictionFailedError(Exception):
    """The candidate does not do its work at a timing case's size; `findings` says what was seen."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(findings[0].message)
        self.findings = tuple(findings)


def predict(
    target: Subject,
    plan: LaunchPlan,
    case: Case,
    sampled: SampledRun,
    compiles: Sequence[CompileRecord],
) -> tuple[Estimate, ...]:
    """Return an estimate of a timing case for each architecture of the sample's wave size.

    Raises `PredictionFailedError` when the sample moved too little for the case's size.
    """
    wave = sampled.record.wave
    bound = target.bind(plan, case, wave)
    sizes = _buffer_bytes(target, case, bound)
    launches = [
        CountedLaunch(
            launch,
            profile,
            touched_bytes=sum(sizes[name] for name in set(launch.args) if name in sizes),
            # what the sample left unwritten is charged as if it had been written like the rest
            missing=1 / sampled.share if sampled.share < FULL_SHARE else 1.0,
        )
        for launch, profile in zip(bound.launches, sampled.profiles, strict=True)
    ]
    _require_traffic(target, case, launches)
    return tuple(
        estimate(
            record.architecture,
            case,
            [(launch.work(kernel := _kernel(record, launch.name)), kernel) for launch in launches],
        )
        for record in compiles
        if record.status is Status.PASSED and architecture(record.architecture).wave == wave
    )


@dataclass(frozen=True)
class CountedLaunch:
    """A launch with the profile of the blocks that were run of it."""

    launch: BoundLaunch
    profile: LaunchProfile
    touched_bytes: int
    """Size of all buffers among its arguments."""
    missing: float = 1.0
    """What to multiply the counts by for outputs that the sample ought to have written."""

    @property
    def name(self) -> str:
        return self.launch.kernel

    @property
    def scale(self) -> float:
        """What to multiply the sample's counts by to get those of the whole grid."""
        return self.profile.scale * self.missing

    @property
    def distinct_lines(self) -> float:
        """Distinct lines of the whole grid.

        Blocks share lines: the sample's distinct lines scale to no more than there are.
        """
        seen = self.profile.read.total_64 + self.profile.written.total_64
        return min(self.scale * seen, self.touched_bytes / LINE_BYTES)

    def work(self, kernel: KernelResources) -> LaunchWork:
        """Return the counts of the whole grid, as `kernel` was compiled.

        The emulator executes accesses as the source writes them; the GPU's compiler merges
        neighbouring ones of a work-item into wide instructions. How far it did is taken from the
        widths in the compiled code, so that a kernel is not charged for loads that it never does.
        """
        profile, scale = self.profile, self.scale
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


def _require_traffic(target: Subject, case: Case, launches: Sequence[CountedLaunch]) -> None:
    """Refuse a kernel that is fast because it does nothing at the size it is timed at."""
    least = target.work_of(case)[0]
    moved = sum(launch.distinct_lines for launch in launches) * LINE_BYTES
    if moved < LEAST_TRAFFIC * least:
        message = (
            f"moves {moved:.0f} bytes at the timing case {case.name}, where any implementation "
            f"must move {least}"
        )
        raise PredictionFailedError([Finding(status=Status.CHEAT, message=message)])


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


def _kernel(record: CompileRecord, name: str) -> KernelResources:
    return next(kernel for kernel in record.kernels if kernel.name == name)


def _buffer_bytes(target: Subject, case: Case, bound: BoundPlan) -> dict[str, int]:
    buffers = (*target.tensors_for(case), *bound.workspace)
    return {each.name: int(np.prod(each.shape)) * each.dtype.itemsize for each in buffers}
