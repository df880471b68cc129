"""Estimates for a candidate: counted on the CPU emulator, timed by the roofline model.

For each timing case a sample of blocks runs at the case's full size, once for each wave size; the
counts are scaled to the whole grid and handed to the model of each architecture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.lab.cases import draw_tensor, scalar_values
from rocm_pipeline.lab.emulator import Emulator, EmulatorBuild, LaunchProfile
from rocm_pipeline.lab.evidence import CompileRecord, Estimate, KernelResources, Status
from rocm_pipeline.lab.execution import Memory, Wave, allocate
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


class PredictionFailedError(Exception):
    """The candidate did not run to its end at a timing case's size."""


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
        return tuple(
            found
            for case in target.timing_cases
            for wave, build in builds.items()
            for found in self._for_wave(target, plan, case, wave, build, compiles)
        )

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
        works = self._count(target, case, bound, wave, build)
        return [
            estimate(
                record.architecture,
                case,
                [(work, _kernel(record, name)) for name, work in works],
            )
            for record in wanted
        ]

    def _count(
        self, target: Target, case: Case, bound: BoundPlan, wave: Wave, build: EmulatorBuild
    ) -> list[tuple[str, LaunchWork]]:
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
            raise PredictionFailedError(f"{case.name}: {run.findings[0].message}")
        return [
            (launch.kernel, _work(launch, profile, memory, wave))
            for launch, profile in zip(bound.launches, run.profiles, strict=True)
        ]


def _sample_size(target: Target, case: Case, bound: BoundPlan) -> int:
    operations = target.work_of(case)[1]
    blocks = max(launch.blocks for launch in bound.launches)
    affordable = SAMPLE_OPERATIONS * blocks // max(operations, 1)
    return max(FEWEST_BLOCKS, min(MOST_BLOCKS, affordable))


def _work(launch: BoundLaunch, profile: LaunchProfile, memory: Memory, wave: Wave) -> LaunchWork:
    scale = profile.scale
    touched = sum(
        memory.buffers[name].nbytes for name in set(launch.args) if name in memory.buffers
    )
    distinct = scale * (profile.read.total_64 + profile.written.total_64)
    waves_per_block = ceildiv(launch.threads, wave)
    operations = {kind: scale * count for kind, count in profile.operations.items()}
    return LaunchWork(
        blocks=launch.blocks,
        threads_per_block=launch.threads,
        shared_bytes=launch.shared_bytes,
        transactions=scale * profile.transactions_64,
        block_lines=scale * (profile.read.per_block_64 + profile.written.per_block_64),
        # blocks share lines, so that the sample's distinct lines scale to no more than there are
        compulsory_lines=min(distinct, touched / LINE_BYTES),
        loads=scale * profile.global_loads,
        lds_accesses=scale * profile.lds_requests,
        lds_passes=scale * profile.lds_cycles,
        barriers=scale * profile.barriers * waves_per_block,
        atomics=scale * profile.global_atomics,
    ).with_operations(operations)


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
