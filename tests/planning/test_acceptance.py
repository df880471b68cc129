"""What a kernel task must reach, held against evidence."""

import pytest
from pydantic import ValidationError

from rocm_pipeline.agents.roles import allowed_files
from rocm_pipeline.planning.acceptance import Acceptance, acceptance_for
from rocm_pipeline.planning.plan import Context, Task, TaskType, Work, uncovered
from tests.fakes.values import a_candidate, a_failing_evidence, a_passing_evidence, a_target

TARGET = a_target()
CANDIDATE = a_candidate(TARGET)


def test_a_pass_with_the_estimate_aimed_at_meets_it() -> None:
    evidence = a_passing_evidence(TARGET, CANDIDATE, speedup=2.0)
    assert acceptance_for(TARGET, ("gfx942",), 2.4).unmet(evidence) == ()
    assert acceptance_for(TARGET).unmet(evidence) == ()


def test_less_is_named_by_architecture() -> None:
    evidence = a_passing_evidence(TARGET, CANDIDATE, speedup=2.0)
    assert acceptance_for(TARGET, ("gfx942", "gfx90a"), 3).unmet(evidence) == (
        "gfx942: estimated 2.45x, not 3x",
        "gfx90a: estimated 2.45x, not 3x",
    )
    without = evidence.model_copy(update={"speedups": (), "compiles": evidence.compiles[1:]})
    missing = evidence.compiles[0].architecture
    other = evidence.compiles[1].architecture
    assert acceptance_for(TARGET, (missing, other)).unmet(without) == (
        f"{missing}: not compiled",
        f"{other}: no estimate of the speed-up",
    )


def test_a_failure_meets_nothing() -> None:
    evidence = a_failing_evidence(TARGET, CANDIDATE)
    assert acceptance_for(TARGET).unmet(evidence) == ("the harness says COMPILE_ERROR",)


@pytest.mark.parametrize(
    "weaker", [{"status": "NOT_RUN"}, {"tier": "T1"}, {"speedup": 0.5}, {"architectures": ()}]
)
def test_nobody_can_ask_for_less_than_a_pass(weaker: dict[str, object]) -> None:
    whole = acceptance_for(TARGET).model_dump(mode="json")
    with pytest.raises(ValidationError):
        Acceptance.model_validate({**whole, **weaker})


@pytest.mark.parametrize("task_type", list(TaskType))
def test_a_task_goes_to_the_role_of_its_kind_of_work_alone(task_type: TaskType) -> None:
    for work in Work:
        fields = {
            "id": "a",
            "agent_id": f"{work.role.value}_1",
            "task_type": task_type,
            "context": Context(objective="o"),
            "expected_output": work.expected_output,
        }
        if work is task_type.work:
            assert Task.model_validate(fields).role is work.role
        else:
            with pytest.raises(ValidationError, match="task is for a"):
                Task.model_validate(fields)


def test_what_a_reply_may_hold_is_what_the_task_asks_for() -> None:
    for work in Work:
        assert set(work.expected_output.split(" and ")) == allowed_files(work.role)


def test_any_type_of_kernel_task_makes_a_plan_whole() -> None:
    others = [kind for kind in TaskType if kind.work is not Work.KERNEL]
    for kind in set(TaskType) - set(others):
        assert uncovered([*others, kind]) == ()
    assert uncovered(others) == ("no kernel task",)
