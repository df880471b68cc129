"""Reviews that ask for changes: who gets the task, how often, and in which plan."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.planning.follow_up import (
    MAX_RETURNS,
    amended,
    returned,
    returned_kernels,
    role_of,
    subject_of,
    tasks,
)
from rocm_pipeline.planning.plan import Plan, Role, Work
from rocm_pipeline.planning.returned import continued, save
from rocm_pipeline.planning.review import Heading, Review, ReviewFinding, Verdict
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.records.records import Records
from rocm_pipeline.targets import library
from tests.fakes.values import a_candidate, a_passing_evidence

TARGET = library.load("row_softmax", Path("/nonexistent"))
KERNEL = "k-0123456789abcdef"


@pytest.fixture
def plan() -> Plan:
    return make_plan(TARGET, "c0ffee", ())


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))
    yield records
    records.close()


def finding(
    cites: str, severity: Any = "major", heading: Heading = Heading.ARCHITECTURE
) -> ReviewFinding:
    return ReviewFinding(heading=heading, severity=severity, message="mend it", cites=cites)


def review(*findings: ReviewFinding, verdict: Verdict = Verdict.CHANGES) -> Review:
    return Review(
        subject=KERNEL,
        reviewer="rules and a model",
        kind="final",
        verdict=verdict,
        findings=findings,
        evidence_ids=("ev-1",),
    )


def judged(records: Records, target_sha256: str) -> None:
    """Keep evidence about the kernel, on a version of the target."""
    evidence = a_passing_evidence(TARGET, a_candidate(TARGET))
    identity = evidence.identity.model_copy(update={"target_sha256": target_sha256})
    evidence = evidence.model_copy(update={"identity": identity})
    records.save_candidate(KERNEL, target=TARGET.name, source="", launch_plan="{}")
    records.save_evidence(
        evidence.id,
        identity=f"judged on {target_sha256}",
        candidate_id=KERNEL,
        target=TARGET.name,
        tier=2,
        status=evidence.status.value,
        document=evidence.model_dump_json(),
    )


@pytest.mark.parametrize(
    ("cites", "heading", "role"),
    [
        ("kernel.hip:3", Heading.INTEGRATION, Role.KERNEL_DEV),
        ("launch_plan.json:2", Heading.UPSTREAM, Role.KERNEL_DEV),
        ("op.py:3", Heading.SECURITY, Role.PYTORCH_DEV),
        ("op-0123", Heading.ARCHITECTURE, Role.PYTORCH_DEV),
        ("doc-0123", Heading.UPSTREAM, Role.DOCS_WRITER),
        ("documentation.md:9", Heading.UPSTREAM, Role.DOCS_WRITER),
        ("ev-0123", Heading.INTEGRATION, Role.PYTORCH_DEV),
        ("ev-0123", Heading.UPSTREAM, Role.KERNEL_DEV),
        ("review-0123", Heading.SECURITY, Role.KERNEL_DEV),
    ],
)
def test_changes_go_to_the_role_that_made_what_is_cited(
    cites: str, heading: Heading, role: Role, plan: Plan
) -> None:
    asked = finding(cites, heading=heading)
    assert role_of(asked) is role
    (task,) = tasks(review(asked), plan)
    assert task.role is role
    assert f"major at {cites}: mend it" in task.context.constraints
    assert subject_of(task) == KERNEL


def test_one_task_a_role_holds_all_that_is_asked_of_it(plan: Plan) -> None:
    asked = (finding("op.py:1"), finding("kernel.hip:2"), finding("op.py:9"))
    found = tasks(review(*asked, finding("kernel.hip:7", "minor")), plan, "kernel_lean")
    assert [task.id for task in found] == ["operator_changes_1", "kernel_lean_changes_1"]
    assert "major at op.py:9: mend it" in found[0].context.constraints
    assert not any("kernel.hip:7" in text for text in found[1].context.constraints)


@pytest.mark.parametrize("verdict", [Verdict.APPROVE, Verdict.REJECT])
def test_only_changes_are_sent_back(verdict: Verdict, plan: Plan) -> None:
    severity = "blocker" if verdict is Verdict.REJECT else "minor"
    found = review(finding("kernel.hip:3", severity), verdict=verdict)
    assert tasks(found, plan) == ()
    assert amended(plan, found) is plan


def test_work_goes_back_at_most_twice(plan: Plan) -> None:
    asked = review(finding("kernel.hip:3"), finding("op.py:3"))
    ids: list[str] = []
    for number in range(1, MAX_RETURNS + 1):
        plan = amended(plan, asked, author_task=ids[0] if ids else "kernel_wide")
        assert returned(plan) == number
        ids = [task.id for task in plan.tasks if task.id.endswith(f"_changes_{number}")]
        assert ids == [f"kernel_wide_changes_{number}", f"operator_changes_{number}"]
    assert tasks(asked, plan) == ()
    assert amended(plan, asked) is plan


def test_a_kernel_task_comes_on_top_and_an_operator_task_in_place(plan: Plan) -> None:
    after = amended(plan, review(finding("kernel.hip:3"), finding("op.py:3")), "kernel_lean")
    kernels = [task.id for task in after.tasks_of(Work.KERNEL)]
    assert kernels == ["kernel_wide", "kernel_lean", "kernel_lean_changes_1"]
    (operator,) = after.tasks_of(Work.INTEGRATION)
    assert operator.id == "operator_changes_1"
    assert operator.depends_on == ("kernel_wide", "kernel_lean", "kernel_lean_changes_1")
    (document,) = after.tasks_of(Work.DOCS)
    assert document.depends_on == ("operator_changes_1", "analysis")
    assert after.id != plan.id


def test_a_kernel_that_was_sent_back_is_not_to_be_chosen_again(plan: Plan) -> None:
    assert returned_kernels(plan) == frozenset()
    assert returned_kernels(amended(plan, review(finding("op.py:3")))) == frozenset()
    assert returned_kernels(amended(plan, review(finding("kernel.hip:3")))) == {KERNEL}


def test_who_plans_next_goes_on_where_reviews_left_off(plan: Plan, records: Records) -> None:
    asked = review(finding("kernel.hip:3"))
    judged(records, TARGET.sha256)
    save(records, plan)
    assert continued(records, plan, TARGET) == plan
    first = amended(plan, asked)
    save(records, first)
    assert continued(records, plan, TARGET) == first
    second = amended(first, asked)
    save(records, second)
    assert continued(records, plan, TARGET) == second
    assert continued(records, second, TARGET) == second


def test_changes_of_a_kernel_for_another_version_of_the_target_are_not_taken_up(
    plan: Plan, records: Records
) -> None:
    judged(records, "of another version")
    save(records, plan)
    save(records, amended(plan, review(finding("kernel.hip:3"))))
    assert continued(records, plan, TARGET) == plan


def test_changes_asked_at_another_commit_or_of_another_plan_are_not_taken_up(
    plan: Plan, records: Records
) -> None:
    other = make_plan(TARGET, "decade", ())
    save(records, amended(other, review(finding("kernel.hip:3"))))
    assert continued(records, plan, TARGET) == plan
