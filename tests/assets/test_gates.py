"""Each gate passes on what is in order and fails on what is not."""

from typing import Any

import pytest

from rocm_pipeline.agents.outcome import CandidateSet, ChosenKernel, KernelOutcome, KernelRound
from rocm_pipeline.assets import gates
from rocm_pipeline.lab.benchmark import Benchmark, compare
from rocm_pipeline.lab.evidence import ControlRecord, Finding, Status
from rocm_pipeline.planning.plan import ONE_TASK, Plan, TaskType, Work
from rocm_pipeline.planning.review import Heading, Review, ReviewFinding, Verdict
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.reporting.document import render_document
from tests.fakes.pipeline import COMPLETE_DOCUMENT
from tests.fakes.values import (
    a_candidate,
    a_passing_evidence,
    a_round,
    a_target,
    an_exchange,
    an_operator_evidence,
)

target = a_target()
plan = make_plan(target, "c0ffee", ())
candidate = a_candidate(target, "better")
FAILED: dict[str, Any] = {
    "status": Status.WRONG_VALUE,
    "findings": (Finding(status=Status.WRONG_VALUE, message="y is wrong"),),
    "speedups": (),
}


def a_kernel(**changes: Any) -> ChosenKernel:
    evidence = a_passing_evidence(target, candidate)
    return ChosenKernel(
        target=target.name,
        candidate=candidate,
        evidence=evidence.model_copy(update=changes),
        is_baseline=False,
        exchange=None,
        reason="best",
    )


def without(work: Work) -> Plan:
    kept = [task for task in plan.tasks if task.task_type.work is not work]
    names = {task.id for task in kept}
    return plan.model_copy(
        update={
            "tasks": tuple(
                task.model_copy(
                    update={"depends_on": tuple(d for d in task.depends_on if d in names)}
                )
                for task in kept
            )
        }
    )


@pytest.mark.parametrize("work", list(Work))
def test_a_plan_without_a_kind_of_task_is_refused(work: Work) -> None:
    assert gates.plan_covers_every_role(plan).passed
    found = gates.plan_covers_every_role(without(work))
    assert not found.passed
    assert f"no {work.value} task" in (found.description or "")


@pytest.mark.parametrize("work", ONE_TASK)
def test_a_plan_with_two_tasks_about_the_one_kernel_is_refused(work: Work) -> None:
    (task,) = plan.tasks_of(work)
    doubled = plan.model_copy(
        update={"tasks": (*plan.tasks, task.model_copy(update={"id": "once_more"}))}
    )
    assert not gates.plan_covers_every_role(doubled).passed


def judged(*rounds: Any) -> CandidateSet:
    task = plan.tasks_for(TaskType.CODE_OPTIMIZATION)[0]
    return CandidateSet(
        target=target.name,
        baseline=candidate,
        baseline_evidence=a_passing_evidence(target, candidate),
        outcomes=(KernelOutcome(task_id=task.id, rounds=rounds),),
    )


def a_refusal(round: int, why: str, *limitations: str) -> KernelRound:
    task = plan.tasks_for(TaskType.CODE_OPTIMIZATION)[0]
    return KernelRound(
        exchange=an_exchange(task, round), refused=why, limitations=tuple(limitations)
    )


def test_candidates_pass_when_one_of_them_did() -> None:
    task = plan.tasks_for(TaskType.CODE_OPTIMIZATION)[0]
    good, bad = a_round(target, task, "a"), a_round(target, task, "b", passes=False)
    assert gates.some_candidate_passed(judged(bad, good)).passed
    assert not gates.some_candidate_passed(judged(bad, bad)).passed


def test_failing_candidates_are_told_apart_from_refused_replies() -> None:
    task = plan.tasks_for(TaskType.CODE_OPTIMIZATION)[0]
    bad = a_round(target, task, "b", passes=False)
    again = [a_refusal(number, "this is the kernel of round 1 again") for number in (2, 3)]
    found = gates.some_candidate_passed(judged(bad, *again))
    assert not found.passed
    assert found.description == (
        "0 of 1 candidates passed every check; 1 COMPILE_ERROR; 2 other replies were refused; "
        "first finding: COMPILE_ERROR: expected ';' | in 'line'"
    )


def test_an_agent_that_sent_no_kernel_is_quoted_whole() -> None:
    limitation = f"There are templates for {'a family, ' * 20}none for 'gelu'."
    refusals = [a_refusal(n, f"The reply lacks kernel.hip {n}", limitation) for n in (1, 2)]
    found = gates.some_candidate_passed(judged(*refusals))
    assert not found.passed
    assert found.description == f"no agent sent a kernel: {limitation}"

    unread = gates.some_candidate_passed(judged(a_refusal(1, "the reply is empty")))
    assert unread.description == "no agent sent a kernel: the reply is empty"
    silent = gates.some_candidate_passed(judged())
    assert not silent.passed
    assert silent.description == "no agent replied"


def test_a_kernel_that_was_not_compiled_for_an_architecture_is_refused() -> None:
    assert gates.kernel_compiles_for_every_architecture(a_kernel(), target).passed
    compiles = a_passing_evidence(target, candidate).compiles[1:]
    found = gates.kernel_compiles_for_every_architecture(
        a_kernel(compiles=compiles, **FAILED), target
    )
    assert not found.passed
    assert target.architectures[0] in (found.description or "")


def test_a_kernel_matches_the_reference_only_when_its_evidence_passed() -> None:
    assert gates.kernel_matches_reference(a_kernel()).passed
    assert not gates.kernel_matches_reference(a_kernel(**FAILED)).passed


def test_controls_that_were_accepted_or_never_run_are_refused() -> None:
    assert gates.controls_are_rejected(a_kernel()).passed
    accepted = ControlRecord(name="zeros", rejected=False, status=Status.PASSED)
    assert not gates.controls_are_rejected(a_kernel(controls=(accepted,), **FAILED)).passed
    assert not gates.controls_are_rejected(a_kernel(controls=(), **FAILED)).passed


@pytest.mark.parametrize(
    ("status", "passed", "severity"),
    [
        (Status.PASSED, True, "ERROR"),
        (Status.NOT_RUN, False, "WARN"),
        (Status.WRONG_VALUE, False, "ERROR"),
    ],
)
def test_an_operator_that_could_not_be_run_is_neither_a_pass_nor_an_error(
    status: Status, passed: bool, severity: str
) -> None:
    if status is Status.WRONG_VALUE:
        evidence = an_operator_evidence(target, candidate, Status.PASSED)
        first, *rest = evidence.checks
        wrong = first.model_copy(update={"status": status, "message": "off by one"})
        evidence = evidence.model_copy(update={"checks": (wrong, *rest)})
    else:
        evidence = an_operator_evidence(target, candidate, status)
    found = gates.operator_passes_opcheck(evidence)
    assert found.passed is passed
    assert found.severity.value == severity
    assert found.description


def a_benchmark(low: float) -> Benchmark:
    evidence = a_passing_evidence(target, candidate, low)
    return compare(candidate, evidence, evidence, analysis="", analysis_refused="")


@pytest.mark.parametrize(
    ("low", "passed", "severity"),
    [(1.2, True, "WARN"), (0.9, False, "WARN"), (0.5, False, "ERROR")],
)
def test_a_slower_estimate_warns_and_a_certainly_slower_one_fails(
    low: float, passed: bool, severity: str
) -> None:
    found = gates.not_slower_than_baseline(a_benchmark(low), is_baseline=False)
    assert found.passed is passed
    assert found.severity.value == severity


def test_a_missing_estimate_is_no_pass() -> None:
    none = a_benchmark(2.0).model_copy(update={"speedups": ()})
    assert not gates.not_slower_than_baseline(none, is_baseline=False).passed


def test_nothing_is_called_measured_without_a_device() -> None:
    assert a_benchmark(2.0).device_status is Status.NOT_RUN
    assert a_benchmark(2.0).device_reason


def test_an_invented_number_and_a_missing_section_are_different_gates() -> None:
    kernel = a_kernel()
    good = render_document(COMPLETE_DOCUMENT, target, kernel, "", None)
    assert gates.documentation_is_complete(good).passed
    assert gates.numbers_come_from_evidence(good).passed

    invented = render_document(
        COMPLETE_DOCUMENT + "\nIt takes 987.123 steps.\n", target, kernel, "", None
    )
    assert gates.documentation_is_complete(invented).passed
    assert not gates.numbers_come_from_evidence(invented).passed

    short = render_document("## Usage\n\nIn words.\n", target, kernel, "", None)
    assert not gates.documentation_is_complete(short).passed
    assert gates.numbers_come_from_evidence(short).passed


@pytest.mark.parametrize(
    ("verdict", "severity", "passed", "expected"),
    [
        (Verdict.APPROVE, "note", True, "WARN"),
        (Verdict.CHANGES, "major", False, "WARN"),
        (Verdict.REJECT, "blocker", False, "ERROR"),
    ],
)
def test_a_review_passes_only_when_it_approves(
    verdict: Verdict, severity: Any, passed: bool, expected: str
) -> None:
    review = Review(
        subject=candidate.id,
        reviewer="rules",
        kind="final",
        verdict=verdict,
        findings=(
            ReviewFinding(
                heading=Heading.SECURITY, severity=severity, message="look here", cites="ev-1"
            ),
        ),
        evidence_ids=("ev-1",),
    )
    found = gates.reviewer_approved(review)
    assert found.asset_key is not None
    assert found.asset_key.to_user_string() == "final_review"
    assert (found.passed, found.severity.value) == (passed, expected)


def test_a_branch_must_hold_the_evidence_that_it_cites() -> None:
    kernel = a_kernel()
    proposed = PullRequest(
        target=target.name,
        branch="agent/x",
        commit="beef",
        base_commit="c0ffee",
        files=("kernels/row_softmax/evidence.json",),
        body=f"evidence {kernel.evidence.id}",
    )
    assert gates.branch_holds_evidence(proposed, kernel).passed
    for change in ({"files": ("kernel.hip",)}, {"body": "trust me"}):
        found = gates.branch_holds_evidence(proposed.model_copy(update=change), kernel)
        assert not found.passed
        assert found.severity.value == "ERROR"
    nothing = proposed.model_copy(update={"commit": None, "reason": "not approved"})
    found = gates.branch_holds_evidence(nothing, kernel)
    assert not found.passed
    assert found.severity.value == "WARN"
