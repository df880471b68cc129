"""The kernel that goes on: the best that passed and that no review sent back."""

from rocm_pipeline.agents.choice import choose
from rocm_pipeline.agents.outcome import CandidateSet, KernelOutcome
from rocm_pipeline.planning.plan import TaskType
from rocm_pipeline.planning.rules import make_plan
from tests.fakes.values import a_candidate, a_passing_evidence, a_round, a_target

TARGET = a_target()
TASK = make_plan(TARGET, "c0ffee", ()).tasks_for(TaskType.CODE_OPTIMIZATION)[0]


def candidates(**speedups: float) -> CandidateSet:
    baseline = a_candidate(TARGET)
    rounds = tuple(a_round(TARGET, TASK, name, speedup=by) for name, by in speedups.items())
    return CandidateSet(
        target=TARGET.name,
        baseline=baseline,
        baseline_evidence=a_passing_evidence(TARGET, baseline, 1.0),
        outcomes=(KernelOutcome(task_id=TASK.id, rounds=rounds),),
    )


def named(name: str) -> str:
    return a_candidate(TARGET, name).id


def test_the_fastest_that_passed_goes_on() -> None:
    chosen = choose(candidates(slow=1.5, fast=3.0))
    assert chosen.candidate.id == named("fast")
    assert "sent back" not in chosen.reason


def test_a_kernel_that_a_review_sent_back_is_passed_over() -> None:
    chosen = choose(candidates(slow=1.5, fast=3.0), {named("fast")})
    assert chosen.candidate.id == named("slow")
    assert chosen.reason.endswith(f"without {named('fast')}, which a review sent back")


def test_the_baseline_stays_where_the_only_kernel_was_sent_back() -> None:
    chosen = choose(candidates(fast=3.0), {named("fast")})
    assert chosen.is_baseline
    assert named("fast") in chosen.reason


def test_a_kernel_that_gains_too_little_is_not_worth_it() -> None:
    assert choose(candidates(slow=0.5)).is_baseline
