"""The coordinator: what it refuses, in which order tasks are done, what is raised where."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.planning import AIDevCoordinator
from rocm_pipeline.planning.coordinator import ReviewKind
from rocm_pipeline.planning.plan import Plan, Role, Task
from rocm_pipeline.planning.review import Review, Verdict
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target


class Notes:
    """Does tasks by noting them; `on_task` may wait or fail."""

    def __init__(self, on_task: Callable[[Task], None] = lambda _: None) -> None:
        self.done: list[tuple[str, tuple[str, ...]]] = []
        self.reviewed: list[tuple[ReviewKind, tuple[str, ...]]] = []
        self._on_task = on_task

    def target(self, name: str) -> Target:
        return library.load(name, Path("/nonexistent"))

    def plan(self, target: Target) -> Plan:
        return make_plan(target, "c0ffee", ())

    def perform(self, plan: Plan, task: Task, results: Mapping[str, object]) -> object:
        self._on_task(task)
        self.done.append((task.id, tuple(results)))
        return f"{plan.target} {task.id}"

    def review(self, plan: Plan, kind: ReviewKind, results: Mapping[str, object]) -> Review:
        self.reviewed.append((kind, tuple(results)))
        return Review(
            subject="k-1",
            reviewer="rules",
            kind=kind,
            verdict=Verdict.APPROVE,
            findings=(),
            evidence_ids=(f"ev-{plan.target}",),
        )


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def coordinator(notes: Notes) -> Iterator[AIDevCoordinator]:
    with AIDevCoordinator(notes) as opened:
        yield opened


def test_tasks_are_done_after_those_of_earlier_stages(
    coordinator: AIDevCoordinator, notes: Notes
) -> None:
    plan = coordinator.plan("row_softmax")
    ids = [coordinator.assign_task(task, task.role) for task in plan.tasks]
    assert ids == [f"{plan.id}/{task.id}" for task in plan.tasks]
    results = [coordinator.collect_results(task_id, timeout=10) for task_id in ids]
    assert results == [f"row_softmax {task.id}" for task in plan.tasks]
    earlier = dict(notes.done)
    assert earlier["edge_cases"] == ()
    assert earlier["kernel_lean"] == ("edge_cases",)
    assert earlier["operator"] == ("edge_cases", "kernel_wide", "kernel_lean")
    assert set(earlier["documentation"]) == {task.id for task in plan.tasks} - {"documentation"}


def test_one_worker_is_enough_for_tasks_that_wait_for_each_other(notes: Notes) -> None:
    with AIDevCoordinator(notes, workers=1) as coordinator:
        plans = [coordinator.plan(name) for name in ("row_softmax", "flash_attention")]
        ids = [coordinator.assign_task(task, task.role) for plan in plans for task in plan.tasks]
        assert len([coordinator.collect_results(task_id, timeout=10) for task_id in ids]) == 12


def test_assigning_returns_at_once_and_collecting_waits() -> None:
    go_on = threading.Event()
    with AIDevCoordinator(Notes(lambda _: assert_set(go_on))) as coordinator:
        plan = coordinator.plan("row_softmax")
        started = time.monotonic()
        task_id = coordinator.assign_task(plan.tasks[0], "tester")
        assert time.monotonic() - started < 5
        with pytest.raises(TimeoutError, match=r"not done after 0\.05 s; it goes on"):
            coordinator.collect_results(task_id, timeout=0.05)
        go_on.set()
        assert coordinator.collect_results(task_id, timeout=10) == "row_softmax edge_cases"


def assert_set(event: threading.Event) -> None:
    assert event.wait(20)


@pytest.mark.parametrize(
    ("role", "line"),
    [
        (Role.DOCS_WRITER, "a docs_writer cannot do the test_generation task 'edge_cases'"),
        ("kernel_dev", "a kernel_dev cannot do the test_generation task 'edge_cases'"),
        ("plumber", "there is no role 'plumber'. Roles are kernel_dev, pytorch_dev"),
    ],
)
def test_a_role_that_cannot_do_the_task_is_refused_in_one_line(
    role: Role | str, line: str, coordinator: AIDevCoordinator, notes: Notes
) -> None:
    plan = coordinator.plan("row_softmax")
    with pytest.raises(UserError) as refused:
        coordinator.assign_task(plan.tasks[0], role)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)
    assert notes.done == []


def test_a_task_whose_dependencies_are_not_assigned_is_refused(
    coordinator: AIDevCoordinator,
) -> None:
    plan = coordinator.plan("row_softmax")
    operator = next(task for task in plan.tasks if task.id == "operator")
    with pytest.raises(UserError, match="depends on kernel_wide, kernel_lean, not assigned yet"):
        coordinator.assign_task(operator, operator.role)


def test_a_task_of_no_plan_is_refused_unless_its_plan_is_given(
    coordinator: AIDevCoordinator,
) -> None:
    plan = make_plan(library.load("row_softmax", Path("/nonexistent")), "c0ffee", ())
    with pytest.raises(UserError, match="is in no plan"):
        coordinator.assign_task(plan.tasks[0], "tester")
    task_id = coordinator.assign_task(plan.tasks[0], "tester", plan=plan)
    assert coordinator.collect_results(task_id, timeout=10) == "row_softmax edge_cases"


def test_a_task_of_two_plans_needs_to_be_told_which(coordinator: AIDevCoordinator) -> None:
    plan = coordinator.plan("row_softmax")
    other = plan.model_copy(update={"commit": "other"})
    coordinator.assign_task(plan.tasks[0], "tester", plan=other)
    with pytest.raises(UserError, match="is in several plans"):
        coordinator.assign_task(plan.tasks[0], "tester")
    assert coordinator.assign_task(plan.tasks[0], "tester", plan=plan).startswith(plan.id)


def test_what_a_task_raises_is_raised_where_it_is_collected_and_it_can_be_assigned_again() -> None:
    failures = [ValueError("no disk")]

    def once(_: Task) -> None:
        if failures:
            raise failures.pop()

    with AIDevCoordinator(Notes(once)) as coordinator:
        plan = coordinator.plan("row_softmax")
        test, kernel = plan.tasks[:2]
        task_id = coordinator.assign_task(test, "tester")
        waiting = coordinator.assign_task(kernel, "kernel_dev")
        for failed in (task_id, waiting):
            with pytest.raises(ValueError, match="no disk"):
                coordinator.collect_results(failed, timeout=10)
        assert coordinator.assign_task(test, "tester") == task_id
        assert coordinator.collect_results(task_id, timeout=10) == "row_softmax edge_cases"
        coordinator.assign_task(kernel, "kernel_dev")
        assert coordinator.collect_results(waiting, timeout=10) == "row_softmax kernel_wide"


def test_a_task_that_times_out_by_itself_is_no_task_that_goes_on() -> None:
    def fail(_: Task) -> None:
        raise TimeoutError("the server was silent")

    with AIDevCoordinator(Notes(fail)) as coordinator:
        plan = coordinator.plan("row_softmax")
        task_id = coordinator.assign_task(plan.tasks[0], "tester")
        with pytest.raises(TimeoutError, match="the server was silent"):
            coordinator.collect_results(task_id, timeout=10)


def test_a_task_is_done_once_however_often_it_is_assigned(
    coordinator: AIDevCoordinator, notes: Notes
) -> None:
    plan = coordinator.plan("row_softmax")
    ids = {coordinator.assign_task(plan.tasks[0], "tester") for _ in range(5)}
    (task_id,) = ids
    coordinator.collect_results(task_id, timeout=10)
    coordinator.assign_task(plan.tasks[0], "tester")
    assert len(notes.done) == 1


def test_what_was_not_assigned_cannot_be_collected(coordinator: AIDevCoordinator) -> None:
    with pytest.raises(UserError, match="no task 'plan-1/x' was assigned"):
        coordinator.collect_results("plan-1/x")


def test_a_review_takes_the_results_of_its_plan_alone(
    coordinator: AIDevCoordinator, notes: Notes
) -> None:
    plans = [coordinator.plan(name) for name in ("row_softmax", "flash_attention")]
    for plan in plans:
        for task in plan.tasks[:2]:
            coordinator.assign_task(task, task.role)
    review = coordinator.review(plans[0], "cross", timeout=10)
    assert review.evidence_ids == ("ev-row_softmax",)
    assert notes.reviewed == [("cross", ("edge_cases", "kernel_wide"))]


def test_leaving_by_an_exception_drops_what_has_not_begun() -> None:
    began, go_on = threading.Event(), threading.Event()

    def hold(_: Task) -> None:
        began.set()
        assert_set(go_on)

    def leave(coordinator: AIDevCoordinator) -> None:
        with coordinator:
            for task in coordinator.plan("row_softmax").tasks:
                coordinator.assign_task(task, task.role)
            assert_set(began)
            threading.Timer(0.2, go_on.set).start()
            raise KeyError

    notes = Notes(hold)
    with pytest.raises(KeyError):
        leave(AIDevCoordinator(notes, workers=1))
    assert [name for name, _ in notes.done] == ["edge_cases"]


def test_leaving_otherwise_waits_for_what_was_assigned(notes: Notes) -> None:
    with AIDevCoordinator(notes) as coordinator:
        plan = coordinator.plan("row_softmax")
        for task in plan.tasks:
            coordinator.assign_task(task, task.role)
    assert len(notes.done) == len(plan.tasks)
