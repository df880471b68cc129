"""What a verdict executes: trials whole or by samples, and smaller where they take too long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rocm_pipeline.lab.boundary_cases import boundary_trials
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.cases import (
    Trial,
    agent_trials,
    fits,
    held_out_trials,
    large_trials,
    public_trials,
    repeat_trial,
    timed_trials,
)
from rocm_pipeline.lab.emulator import EmulatorBuild
from rocm_pipeline.lab.evidence import CaseRecord
from rocm_pipeline.lab.execution import CaseRunner
from rocm_pipeline.lab.sampled import MOST_WORK_ITEMS, SampledRun, SampledRunner, work_items
from rocm_pipeline.lab.slow_cases import Speed, judge_at_its_size, judge_smaller, speed_of
from rocm_pipeline.targets.launch_plan import LaunchPlan, LaunchPlanError
from rocm_pipeline.targets.subject import Case, Subject, Wave

MOST_WHOLE_OPERATIONS = 64_000_000
"""Operations of a given case up to which it is executed whole, a few seconds' worth."""
_ROUNDS = 4
"""Of a trial that is executed twice, each time on two sets of values."""
_OPERATIONS_OF_A_WORK_ITEM = 30
"""As many take as long as starting and ending one: 1 us, where a softmax of one column does little
else."""


@dataclass(frozen=True)
class WholeRun:
    """A trial to execute whole."""

    trial: Trial
    wave: Wave
    reverse: bool = False
    twice: bool = False

    @property
    def executions(self) -> int:
        """How often the trial is executed."""
        return 2 if self.twice else 1

    @property
    def rounds(self) -> int:
        """How often its launches run."""
        return _ROUNDS if self.twice else 1

    def execute(
        self,
        runner: CaseRunner,
        builds: Mapping[Wave, EmulatorBuild],
        *,
        hurried: bool = False,
    ) -> Sequence[CaseRecord]:
        """Execute and judge; `hurried` ends a long run early."""
        build = builds[self.wave]
        if self.twice:
            return runner.run_twice(build, self.trial, self.wave, hurried=hurried)
        return [runner.run(build, self.trial, self.wave, self.reverse, hurried=hurried)]


@dataclass(frozen=True)
class SampleRun:
    """A trial of which only some blocks are executed."""

    trial: Trial
    waves: tuple[Wave, ...]

    @property
    def executions(self) -> int:
        """How often the trial is executed."""
        return len(self.waves)


def settled(
    target: Subject,
    run: WholeRun,
    late: Sequence[CaseRecord],
    runner: CaseRunner,
    sampler: SampledRunner,
    builds: Mapping[Wave, EmulatorBuild],
) -> Sequence[CaseRecord]:
    """Judge a run that reached its deadline by smaller sizes, and by some blocks at its own."""

    def execute(trial: Trial, hurried: bool) -> Sequence[CaseRecord]:
        return replace(run, trial=trial).execute(runner, builds, hurried=hurried)

    if run.trial.origin == "public" or not target.may_run_smaller:
        return judge_at_its_size(target, run.trial, late, execute)
    records = judge_smaller(target, run.trial, late, execute)
    # where work-items ended, blocks do: some are judged at the size that is too much for all
    if speed_of(records) is Speed.ENDED and speed_of(late) is Speed.ADVANCES:
        for sampled in sampler.run(builds, run.trial, (run.wave,)):
            if sampled.record.findings and speed_of([sampled.record]) is Speed.ENDED:
                return [sampled.record]
    return records


def settled_sample(
    target: Subject,
    sampled: SampledRun,
    sampler: SampledRunner,
    builds: Mapping[Wave, EmulatorBuild],
) -> SampledRun:
    """Judge a sample that reached its deadline by smaller sizes; a timed one must end itself."""
    late, trial = sampled.record, sampled.trial
    if speed_of([late]) is Speed.ENDED:
        return sampled

    def execute(trial: Trial, hurried: bool) -> Sequence[CaseRecord]:
        return [run.record for run in sampler.run(builds, trial, (late.wave,), hurried=hurried)]

    replaceable = trial.origin == "large" and target.may_run_smaller
    judge = judge_smaller if replaceable else judge_at_its_size
    [record] = judge(target, trial, [late], execute)
    return replace(sampled, record=record)


@dataclass(frozen=True)
class LargeTrials:
    """Large trials by how they are executed."""

    whole: tuple[Trial, ...]
    sampled: tuple[Trial, ...]


def split_large_trials(target: Subject, plan: LaunchPlan, seed: int) -> LargeTrials:
    """Draw the large trials; those that start few work-items are executed whole."""
    trials = large_trials(target, seed)
    small = [
        fits(target, t.case) and _work_items(target, plan, t.case) <= MOST_WORK_ITEMS
        for t in trials
    ]
    return LargeTrials(
        tuple(trial for trial, is_small in zip(trials, small, strict=True) if is_small),
        tuple(trial for trial, is_small in zip(trials, small, strict=True) if not is_small),
    )


def _heavy(target: Subject, case: Case) -> bool:
    """Whether a case that its author gave does too much for the emulator to execute it whole."""
    return target.work_of(case)[1] > MOST_WHOLE_OPERATIONS


def _work_items(target: Subject, plan: LaunchPlan, case: Case) -> int:
    """Work-items that a case starts, none where the plan has no meaning: running it finds that."""
    try:
        return work_items(target.bind(plan, case, max(target.waves)))
    except (LaunchPlanError, ValueError):
        return 0


def longest_first(target: Subject, plan: LaunchPlan, runs: Sequence[WholeRun]) -> list[int]:
    """Return the places of `runs` by how long they will take."""

    def cost(place: int) -> int:
        run = runs[place]
        case = run.trial.case
        starting = _OPERATIONS_OF_A_WORK_ITEM * _work_items(target, plan, case)
        return run.rounds * (target.work_of(case)[1] + starting)

    return sorted(range(len(runs)), key=cost, reverse=True)


def repeated_run(target: Subject, plan: LaunchPlan, seed: int) -> WholeRun:
    """Draw the trial to repeat; all of its rounds together start few work-items, if possible."""

    def few(case: Case) -> bool:
        return _ROUNDS * _work_items(target, plan, case) <= MOST_WORK_ITEMS

    trial = repeat_trial(target, seed, few)
    return WholeRun(trial, target.waves[trial.seed % len(target.waves)], twice=True)


def whole_runs(
    candidate: Candidate,
    target: Subject,
    agent_cases: Sequence[Case],
    large: LargeTrials,
    seed: int,
) -> list[WholeRun]:
    """Public cases on both wave sizes, the others in turn; half of all in reverse lane order."""
    waves = target.waves
    public = [
        WholeRun(trial, wave, reverse=wave == 64)
        for trial in public_trials(target, seed)
        if not _heavy(target, trial.case)
        for wave in target.waves
    ]
    others = [
        *held_out_trials(target, seed),
        *boundary_trials(target, candidate.source, seed),
        *agent_trials(agent_cases, seed + 1000),
        *large.whole,
    ]
    in_turn = [
        WholeRun(trial, waves[i % len(waves)], reverse=i // 2 % 2 == 1)
        for i, trial in enumerate(others)
    ]
    return [*public, *in_turn, repeated_run(target, candidate.launch_plan, seed)]


def sample_runs(target: Subject, large: LargeTrials, seed: int) -> list[SampleRun]:
    """Timing cases on both wave sizes, as the estimates need; other large ones on one of them."""
    waves = target.waves
    return [
        *(SampleRun(trial, waves) for trial in timed_trials(target, seed)),
        *(
            SampleRun(trial, waves)
            for trial in public_trials(target, seed)
            if _heavy(target, trial.case)
        ),
        *(SampleRun(trial, (waves[trial.seed % len(waves)],)) for trial in large.sampled),
    ]
