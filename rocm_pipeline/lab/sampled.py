"""Running a candidate at sizes too large to execute whole: some blocks run, and are judged.

Two sets of blocks run. Those of the profile are spread evenly, so that estimates of one kernel
agree with each other; the others are drawn from the trial's secret seed. Every element that any of
them wrote must be right, and together they must write what so many blocks must write on average.
So a kernel can hardly be wrong, or do less, at the size for which its time is estimated.

A small timing case is executed whole. What several blocks add up, or hand to each other, by atomics
means nothing when only some of them run: such a launch is judged on a smaller case, executed whole.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rocm_pipeline.lab.cases import Trial, draw_inputs, reduced, scalar_values
from rocm_pipeline.lab.emulator import BlockSample, Emulator, EmulatorBuild, LaunchProfile
from rocm_pipeline.lab.evidence import CaseRecord, Finding, Status
from rocm_pipeline.lab.execution import (
    CaseRunner,
    Judgement,
    Memory,
    allocate,
    case_record,
    input_findings,
    judge_outputs,
    read_only,
    run_conditions,
)
from rocm_pipeline.lab.reference import Places, Reference
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundPlan, LaunchPlan, LaunchPlanError
from rocm_pipeline.targets.subject import Case, Role, Subject, Wave

MOST_WORK_ITEMS = 1 << 18
"""Work-items of all launches up to which a case is executed whole; idle ones cost, too."""
WHOLE_WORK = 1 << 19
"""The target's own count of operations up to which a timing case is executed whole."""
MOST_BLOCKS = 6
"""Blocks of each of the two sets, of each launch."""
FEWEST_BLOCKS = 2
SAMPLE_OPERATIONS = 20_000_000
"""Operations that a sample should not exceed; heavy blocks are run fewer times."""
WHOLE_OPERATIONS = 40_000_000
"""Operations of the launches before the last one, up to which they are executed whole."""
SAMPLE_SECONDS = 60.0
"""Deadline of a sample: its blocks are few, but as large as when they are timed."""
FULL_SHARE = 0.9
"""Share of the outputs expected of a sample from which on nothing is missing: the blocks at the
edges of a tensor write less than others."""
LEAST_SHARE = 0.75
"""The same for a second, larger sample, which a first one below `FULL_SHARE` leads to."""
_LARGER = 4
_FEW = 4
"""Elements expected of a sample below which their share says nothing."""


@dataclass(frozen=True)
class SampledRun:
    """One execution of some blocks."""

    trial: Trial
    record: CaseRecord
    profiles: tuple[LaunchProfile, ...] = ()
    """One for each launch, of its evenly spread blocks; empty where it failed."""
    share: float = 1.0
    """Outputs written over what so many blocks write on average, at most 1."""


@dataclass(frozen=True)
class _Trial:
    """A trial bound for one wave size, with its memory."""

    trial: Trial
    wave: Wave
    build: EmulatorBuild
    bound: BoundPlan
    memory: Memory
    hurried: bool


class SampledRunner:
    """Judges samples of one launch plan; safe to call from several threads."""

    def __init__(self, target: Subject, plan: LaunchPlan, emulator: Emulator) -> None:
        self._target = target
        self._plan = plan
        self._emulator = emulator
        self._reference = Reference(target)
        self._whole = CaseRunner(target, plan, emulator)

    def run(
        self,
        builds: Mapping[Wave, EmulatorBuild],
        trial: Trial,
        waves: Sequence[Wave],
        *,
        hurried: bool = False,
    ) -> list[SampledRun]:
        """Run a trial on these wave sizes, profiled, with one set of values.

        Hurried runs are given up sooner.
        """
        inputs = draw_inputs(self._target, trial.case, trial.seed)
        return [self._run(trial, wave, builds[wave], inputs, hurried) for wave in waves]

    def _run(
        self,
        trial: Trial,
        wave: Wave,
        build: EmulatorBuild,
        inputs: dict[str, Array],
        hurried: bool,
    ) -> SampledRun:
        try:
            bound = self._target.bind(self._plan, trial.case, wave)
        except (LaunchPlanError, ValueError) as error:
            finding = Finding(status=Status.POLICY_VIOLATION, message=f"launch plan: {error}")
            return SampledRun(trial, case_record(trial, wave, False, Judgement((finding,))))
        memory = allocate(self._target, bound, trial.case, inputs)
        prepared = _Trial(trial, wave, build, bound, memory, hurried)
        few = work_items(bound) <= MOST_WORK_ITEMS
        if few and self._target.work_of(trial.case)[1] <= WHOLE_WORK:
            return self._sample(prepared, self._every_block(prepared), profile=True)
        if len(bound.launches) == 1:
            return self._one_launch(prepared)
        return self._several_launches(prepared)

    def _every_block(self, prepared: _Trial) -> list[BlockSample]:
        """All blocks of all launches, profiled where a sample would be."""
        count = sample_size(self._target, prepared.trial.case, prepared.bound)
        return [_all(launch.blocks, count) for launch in prepared.bound.launches]

    def _one_launch(self, prepared: _Trial) -> SampledRun:
        blocks = prepared.bound.launches[0].blocks
        count = sample_size(self._target, prepared.trial.case, prepared.bound)
        first = self._sample(prepared, [_sample(blocks, count, _seed(prepared, 1))], profile=True)
        return self._enough(prepared, first, count)

    def _enough(self, prepared: _Trial, first: SampledRun, count: int) -> SampledRun:
        """Refuse a kernel that leaves outputs out; a larger sample decides where it may be chance.

        Blocks at the edges of a tensor write less than others.
        """
        if first.record.findings or first.share >= FULL_SHARE:
            return first
        *earlier, last = prepared.bound.launches
        larger = BlockSample(1, _draw(last.blocks, _LARGER * count, _seed(prepared, 2)))
        second = self._sample(prepared, [*(None for _ in earlier), larger], profile=False)
        if second.record.findings:
            return second
        if second.share < LEAST_SHARE:
            finding = Finding(
                status=Status.CHEAT,
                message=f"the blocks that were run wrote {second.share:.0%} of the outputs that so "
                "many blocks must write on average",
            )
            return SampledRun(prepared.trial, _failed(prepared, [finding]))
        return replace(second, profiles=first.profiles)

    def _several_launches(self, prepared: _Trial) -> SampledRun:
        """Profile a sample of each launch, then judge the last one after the others ran whole.

        What a launch reads of an earlier one that was only sampled is memory nobody wrote. Where
        the earlier ones do too much to run whole, a smaller case of the same shape is executed
        whole instead, and the record says which.
        """
        target, case, bound = self._target, prepared.trial.case, prepared.bound
        count = sample_size(target, case, bound)
        counted = self._emulator.run(
            prepared.build,
            bound,
            prepared.memory.buffers,
            scalar_values(target, case),
            outputs=(),
            watched=read_only(target),
            samples=[BlockSample(count) for _ in bound.launches],
            conditions=run_conditions(prepared.trial.seed, prepared.wave, reverse=False),
            profile=True,
            cpu_seconds=SAMPLE_SECONDS,
            hurried=prepared.hurried,
        )
        findings = [*counted.findings, *input_findings(counted)]
        if findings:
            return SampledRun(prepared.trial, _failed(prepared, findings))
        profiles = counted.profiles
        earlier = sum(_operations(profile) for profile in profiles[:-1])
        if earlier > WHOLE_OPERATIONS or profiles[-1].global_atomics:
            return self._smaller(prepared, profiles)
        last = _sample(bound.launches[-1].blocks, count, _seed(prepared, 1))
        samples = [*(None for _ in bound.launches[:-1]), last]
        judged = self._sample(prepared, samples, profile=False)
        return self._enough(prepared, replace(judged, profiles=profiles), count)

    def _smaller(self, prepared: _Trial, profiles: tuple[LaunchProfile, ...]) -> SampledRun:
        """Judge a smaller case of the same shape, executed whole; the record says which."""
        trial = prepared.trial
        smaller = reduced(self._target, trial)
        record = self._whole.run(
            prepared.build, smaller, prepared.wave, reverse=False, hurried=prepared.hurried
        )
        if trial.origin == "timed":
            record = record.model_copy(update={"stands_for": trial.case.name})
        return SampledRun(trial, _at_size(record, smaller.case), profiles)

    def _sample(
        self, prepared: _Trial, samples: Sequence[BlockSample | None], *, profile: bool
    ) -> SampledRun:
        target, case, bound = self._target, prepared.trial.case, prepared.bound
        run = self._emulator.run(
            prepared.build,
            bound,
            prepared.memory.buffers,
            scalar_values(target, case),
            outputs=target.outputs,
            watched=read_only(target),
            samples=samples,
            conditions=run_conditions(prepared.trial.seed, prepared.wave, reverse=False),
            profile=profile,
            cpu_seconds=SAMPLE_SECONDS,
            hurried=prepared.hurried,
        )
        findings = [*run.findings, *input_findings(run)]
        if findings:
            return SampledRun(prepared.trial, _failed(prepared, findings))
        launch, sample = bound.launches[-1], samples[-1]
        ran = _ran(sample, launch.blocks) if sample else launch.blocks
        everything = ran == launch.blocks
        if not everything and run.profiles and run.profiles[-1].global_atomics:
            return self._smaller(prepared, run.profiles)
        places = self._written(prepared, run.outputs, everything)
        share = self._share(prepared, places, ran / launch.blocks)
        judgement = judge_outputs(
            target,
            case,
            {name: run.outputs[name][where] for name, where in places.items()},
            self._reference.at(case, prepared.memory.inputs, places),
            places,
        )
        record = case_record(
            prepared.trial, prepared.wave, False, judgement, None if everything else ran
        )
        return SampledRun(prepared.trial, _at_size(record, case), run.profiles, share)

    def _written(
        self, prepared: _Trial, outputs: Mapping[str, Array], everything: bool
    ) -> dict[str, Places]:
        """Return where each output no longer holds its poison, or its input if it is both."""
        places: dict[str, Places] = {}
        for name, after in outputs.items():
            before = prepared.memory.buffers[name]
            bits = f"u{after.itemsize}"
            changed = np.flatnonzero(after.view(bits) != before.view(bits))
            if everything:
                changed = np.arange(after.size)
            places[name] = np.unravel_index(changed, after.shape)
        return places

    def _share(self, prepared: _Trial, places: Mapping[str, Places], ran: float) -> float:
        """Return the least share, over the outputs, of what a part `ran` of the grid must write.

        Of a tensor that is an input, too, only what the reference changes counts.
        """
        shares = [1.0]
        case, inputs = prepared.trial.case, prepared.memory.inputs
        for tensor in self._target.tensors_for(case):
            if tensor.name in places:
                expected = ran * float(np.prod(tensor.shape))
                if tensor.role is Role.INOUT:
                    after = self._reference.outputs(case, inputs)[tensor.name]
                    changed = tensor.dtype.pack(after) != inputs[tensor.name]
                    expected = ran * float(changed.sum())
                if expected >= _FEW:
                    shares.append(places[tensor.name][0].size / expected)
        return min(shares)


def work_items(bound: BoundPlan) -> int:
    """Return how many work-items all launches together start."""
    return sum(launch.blocks * launch.threads for launch in bound.launches)


def sample_size(target: Subject, case: Case, bound: BoundPlan) -> int:
    """Return how many blocks of a launch one set holds."""
    operations = target.work_of(case)[1]
    blocks = max(launch.blocks for launch in bound.launches)
    affordable = SAMPLE_OPERATIONS * blocks // max(operations, 1)
    return max(FEWEST_BLOCKS, min(MOST_BLOCKS, affordable))


def spread(blocks: int, count: int) -> tuple[int, ...]:
    """Return the blocks that the emulator runs of an evenly spread sample."""
    if count >= blocks:
        return tuple(range(blocks))
    return tuple(i * (blocks - 1) // max(count - 1, 1) for i in range(count))


def _sample(blocks: int, count: int, seed: str) -> BlockSample:
    if blocks <= 2 * count:
        return BlockSample(blocks)
    return BlockSample(count, _draw(blocks, count, seed))


def _all(blocks: int, count: int) -> BlockSample:
    profiled = {*spread(blocks, count)}
    return BlockSample(count, tuple(block for block in range(blocks) if block not in profiled))


def _draw(blocks: int, count: int, seed: str) -> tuple[int, ...]:
    rng = random.Random(seed)
    return tuple(rng.sample(range(blocks), min(count, blocks)))


def _seed(prepared: _Trial, number: int) -> str:
    return f"blocks {prepared.trial.seed} {prepared.wave} {number}"


def _ran(sample: BlockSample, blocks: int) -> int:
    return len({*spread(blocks, sample.spread), *sample.listed})


def _operations(profile: LaunchProfile) -> float:
    return profile.scale * sum(profile.operations.values())


def _failed(prepared: _Trial, findings: Sequence[Finding]) -> CaseRecord:
    record = case_record(prepared.trial, prepared.wave, False, Judgement(tuple(findings)))
    return _at_size(record, prepared.trial.case)


def _at_size(record: CaseRecord, case: Case) -> CaseRecord:
    findings = [
        finding.model_copy(update={"message": f"at {case.name}: {finding.message}"})
        for finding in record.findings
    ]
    return record.model_copy(update={"findings": tuple(findings)})
