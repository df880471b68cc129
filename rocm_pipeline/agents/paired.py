"""The paired experiment: Claude writes the kernels itself, and the same harness judges them.

Same targets, same prompts and rounds, same acceptance; an arm ends a target at its first accepted
kernel, which is the least that it can cost. What is written stays out of the pipeline's records,
where a later plan would learn from it; what it cost is in the pipeline's ledger, under the trial's
run id. A trial that was cut off by budget or network is not stored, and a new run goes on from its
answered calls without paying them again.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rocm_pipeline.agents import kernel_task
from rocm_pipeline.agents.bench import Bench
from rocm_pipeline.agents.choice import WORTH_IT
from rocm_pipeline.agents.claude_desk import ClaudeDesk
from rocm_pipeline.agents.kernel_task import KernelTask
from rocm_pipeline.agents.outcome import KernelOutcome, KernelRound, TestSuite
from rocm_pipeline.agents.prompts import template_sha256
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.harness_version import harness_sha256
from rocm_pipeline.lab.ranking import score
from rocm_pipeline.planning.claude.call import Claude
from rocm_pipeline.planning.claude.economy.baselines import Arm
from rocm_pipeline.planning.claude.economy.paired import Trial
from rocm_pipeline.planning.plan import Context, Role, Task, TaskType
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.records.records import Records
from rocm_pipeline.targets.spec import Target


@dataclass(frozen=True)
class Subject:
    """A target of the experiment, with the files that every author is shown."""

    target: Target
    snapshot: RepoSnapshot


@dataclass(frozen=True)
class Contestant:
    """Who writes in an arm. Of `tasks` the kernel tasks are done, until a kernel is accepted."""

    arm: Arm
    model: str
    claude: Claude
    max_tokens: int
    tasks: Callable[[Subject], Sequence[Task]]


class CutOffError(Exception):
    """The experiment ended early: no answer came, for a reason that is not the author's."""


class PairedExperiment:
    """Runs trials one after another; `scratch` are records of its own."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        contestants: Sequence[Contestant],
        *,
        harness: Harness,
        scratch: Records,
        rounds: int,
    ) -> None:
        self._subjects = tuple(subjects)
        self._contestants = tuple(contestants)
        self._bench = Bench(harness, scratch)
        self._scratch = scratch
        self._rounds = rounds
        self.series = self._series()

    def run(self, repeats: int) -> Iterator[Trial]:
        """Yield each trial as it ends: all arms and targets once, then again.

        Raises CutOffError where Claude gives no answer at all (budget, network, key); what was
        yielded before stands. UserError when a target's baseline is wrong.
        """
        for repeat in range(1, repeats + 1):
            for subject in self._subjects:
                _, baseline = self._bench.baseline(subject.target, ())
                for contestant in self._contestants:
                    yield self._trial(contestant, subject, baseline, repeat)

    def _trial(
        self, contestant: Contestant, subject: Subject, baseline: Evidence, repeat: int
    ) -> Trial:
        target = subject.target
        arm = contestant.arm.name.lower()
        run_id = f"paired-{self.series}-{arm}-{target.name}-{repeat}"
        desk = ClaudeDesk(
            contestant.claude,
            self._scratch,
            run_id=run_id,
            repeat=repeat,
            max_tokens=contestant.max_tokens,
        )
        rounds, accepted = 0, False
        for task in (t for t in contestant.tasks(subject) if t.role is Role.KERNEL_DEV):
            outcome = self._work(desk, task, subject, baseline)
            if outcome.cut_off:
                raise CutOffError(f"{contestant.arm.value}, {target.name}: {outcome.cut_off}")
            rounds += len(outcome.rounds)
            accepted = any(map(is_accepted, outcome.rounds))
            if accepted:
                break
        return Trial(
            series=self.series,
            arm=contestant.arm,
            model=contestant.model,
            target=target.name,
            repeat=repeat,
            run_id=run_id,
            accepted=accepted,
            rounds=rounds,
        )

    def _work(
        self, desk: ClaudeDesk, task: Task, subject: Subject, baseline: Evidence
    ) -> KernelOutcome:
        work = KernelTask(
            target=subject.target,
            plan_id=f"paired-{self.series}",
            task=task,
            files=subject.snapshot.files,
            suite=TestSuite(target=subject.target.name, cases=()),
            baseline=baseline,
            rounds=self._rounds,
            enough=WORTH_IT,
        )
        return kernel_task.develop(work, desk, self._bench, lambda _: None)

    def _series(self) -> str:
        """Name all that makes trials comparable."""
        parts = [template_sha256(Role.KERNEL_DEV), harness_sha256(), str(self._rounds)]
        parts += [subject.target.model_dump_json() for subject in self._subjects]
        parts += [subject.snapshot.commit for subject in self._subjects]
        parts += [f"{c.arm.name} {c.model} {c.max_tokens}" for c in self._contestants]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def alone(subject: Subject) -> tuple[Task, ...]:
    """Return one kernel task in the target's own words: nobody planned anything."""
    target = subject.target
    context = Context(
        files=tuple(subject.snapshot.files),
        objective=target.objective,
        constraints=target.constraints,
        reference_docs=target.reference_docs,
    )
    return (
        Task(
            id="kernel",
            agent_id=f"{Role.KERNEL_DEV.value}_1",
            task_type=TaskType.CODE_OPTIMIZATION,
            context=context,
            expected_output="kernel.hip and launch_plan.json",
            max_tokens=8000,
            estimated_hours=4.0,
        ),
    )


def is_accepted(found: KernelRound) -> bool:
    """Say whether the pipeline would choose this kernel over the baseline."""
    value = score(found.evidence) if found.evidence else None
    return value is not None and value >= WORTH_IT
