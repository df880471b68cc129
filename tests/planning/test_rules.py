"""The rule-based planner."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from rocm_pipeline.planning.plan import Context, Plan, Role, Task, TaskType, Work
from rocm_pipeline.planning.rules import DIRECTIONS, PLANNER, make_plan
from rocm_pipeline.targets import library

COMMIT = "0" * 40


def plan_for(name: str) -> Plan:
    target = library.load(name, Path("/nonexistent"))
    return make_plan(target, COMMIT, ("kernels/x/kernel.hip",))


@pytest.mark.parametrize("name", library.builtin_names())
def test_a_plan_has_work_for_every_role_and_kind(name: str) -> None:
    plan = plan_for(name)
    assert {task.role for task in plan.tasks} == set(Role)
    assert {task.task_type.work for task in plan.tasks} == set(Work)
    assert plan.planner == PLANNER


def test_kernel_tasks_take_different_directions_and_wait_for_the_tests() -> None:
    kernels = plan_for("row_softmax").tasks_for(TaskType.CODE_OPTIMIZATION)
    assert len({task.context.objective for task in kernels}) == len(DIRECTIONS)
    assert len({task.agent_id for task in kernels}) == len(DIRECTIONS)
    assert all(task.depends_on == ("edge_cases",) for task in kernels)


def test_a_task_is_two_to_four_hours_and_carries_the_target_s_constraints() -> None:
    target = library.load("row_softmax", Path("/nonexistent"))
    for task in plan_for("row_softmax").tasks:
        assert 2 <= task.estimated_hours <= 4
        assert task.context.constraints == target.constraints
        assert task.context.files == ("kernels/x/kernel.hip",)


def test_the_wire_format_has_the_fixed_field_names() -> None:
    fields = set(plan_for("row_softmax").tasks[0].model_dump())
    assert fields == {
        "id",
        "agent_id",
        "task_type",
        "priority",
        "context",
        "expected_output",
        "max_tokens",
        "depends_on",
        "estimated_hours",
        "acceptance",
    }


def test_the_same_input_gives_the_same_plan_and_another_commit_another() -> None:
    assert plan_for("row_softmax").id == plan_for("row_softmax").id
    target = library.load("row_softmax", Path("/nonexistent"))
    assert make_plan(target, "1" * 40, ()).id != make_plan(target, COMMIT, ()).id


def test_tasks_must_come_after_what_they_depend_on() -> None:
    first, second = (
        Task(
            id=name,
            agent_id="tester_1",
            task_type=TaskType.TEST_GENERATION,
            context=Context(objective="o"),
            expected_output="cases.json",
            depends_on=after,
        )
        for name, after in (("a", ("b",)), ("b", ()))
    )
    with pytest.raises(ValidationError, match="depends on b"):
        Plan(target="t", commit=COMMIT, planner="rules", tasks=(first, second))
    Plan(target="t", commit=COMMIT, planner="rules", tasks=(second, first))
    with pytest.raises(ValidationError, match="twice"):
        Plan(target="t", commit=COMMIT, planner="rules", tasks=(second, second))
