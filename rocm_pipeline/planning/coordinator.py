"""The plain Python face of planning, agents' work and review, for scripts and notebooks."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import Literal, Protocol

from rocm_pipeline.errors import UserError
from rocm_pipeline.planning.plan import Plan, Role, Task
from rocm_pipeline.planning.review import Review
from rocm_pipeline.targets.spec import Target

ReviewKind = Literal["cross", "final"]
WORKERS = 4
_WHERE = "coordinator"


class TaskWork(Protocol):
    """Who makes plans and does tasks; `rocm_pipeline.resources.task_work.open_work` opens one.

    `results` holds, by task id, what came of the plan's tasks of earlier stages. Its methods are
    called from several threads.
    """

    def target(self, name: str) -> Target: ...

    def plan(self, target: Target) -> Plan: ...

    def perform(self, plan: Plan, task: Task, results: Mapping[str, object]) -> object: ...

    def review(self, plan: Plan, kind: ReviewKind, results: Mapping[str, object]) -> Review: ...


class AIDevCoordinator:
    """Plans a target, has its tasks done, and has what came of them reviewed.

    It works with the same parts as the Dagster assets, so that answers and evidence are kept, and
    equal questions are answered from the records. A context manager: leaving it waits for the tasks
    that were assigned; leaving it by an exception drops those that have not begun.
    """

    def __init__(self, work: TaskWork, *, workers: int = WORKERS) -> None:
        """`workers` is how many tasks are done at a time, whatever the fleet could take."""
        self._work = work
        # in order of their assignment, which is what makes waiting for earlier ones safe
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="coordinator")
        self._lock = Lock()
        self._plans: dict[str, Plan] = {}
        self._assigned: dict[str, Future[object]] = {}

    def __enter__(self) -> "AIDevCoordinator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)

    def plan(self, target: str | Target) -> Plan:
        """Return the plan for a target or for the one of that name. UserError for an unknown one.

        Whoever is configured plans: Claude, or without a key the rules.
        """
        found = self._work.target(target) if isinstance(target, str) else target
        plan = self._work.plan(found)
        with self._lock:
            self._plans[plan.id] = plan
        return plan

    def assign_task(self, task: Task, role: Role | str, *, plan: Plan | None = None) -> str:
        """Have a task done in the background and return its task id at once.

        It waits for the tasks of earlier stages that were assigned before it; those it depends on
        must be among them. Assigning a task again gives the same id, and does it again only when it
        has failed. `plan` is needed only where the task is in several plans, or in none that was
        made here. UserError when `role` cannot do the task.
        """
        _require_role(task, role)
        with self._lock:
            own = self._plan_of(task, plan)
            task_id = f"{own.id}/{task.id}"
            known = self._assigned.get(task_id)
            if known is not None and not _has_failed(known):
                return task_id
            before = self._earlier(own, task)
            self._assigned[task_id] = self._pool.submit(self._perform, own, task, before)
        return task_id

    def collect_results(self, task_id: str, timeout: float | None = None) -> object:
        """Wait for a task and return what came of it: for a kernel task its rounds, for a testing
        task its cases, for the others the operator, the analysis or the document.

        Raises what the task raised; TimeoutError when it is not done after `timeout` seconds, and
        then goes on; UserError for a task that was not assigned.
        """
        with self._lock:
            future = self._assigned.get(task_id)
        if future is None:
            raise UserError(
                f"no task '{task_id}' was assigned", where=_WHERE, fix="Give what assign_task gave."
            )
        return _result(future, task_id, timeout)

    def review(
        self, plan: Plan, kind: ReviewKind = "final", *, timeout: float | None = None
    ) -> Review:
        """Wait for all assigned tasks of a plan and return the verdict on its chosen kernel.

        `cross` is the second look at the kernel, `final` the judgement under four headings, which
        takes the operator too. Raises like `collect_results`, and UserError when the tasks that it
        is about were not assigned.
        """
        with self._lock:
            futures = {
                task.id: future
                for task in plan.tasks
                if (future := self._assigned.get(f"{plan.id}/{task.id}")) is not None
            }
        results = {name: _result(f, f"{plan.id}/{name}", timeout) for name, f in futures.items()}
        return self._work.review(plan, kind, results)

    def _perform(self, plan: Plan, task: Task, before: Mapping[str, Future[object]]) -> object:
        results = {name: future.result() for name, future in before.items()}
        return self._work.perform(plan, task, results)

    def _plan_of(self, task: Task, plan: Plan | None) -> Plan:
        candidates = [plan] if plan is not None else list(self._plans.values())
        holding = [each for each in candidates if task in each.tasks]
        if len(holding) == 1:
            self._plans[holding[0].id] = holding[0]
            return holding[0]
        raise UserError(
            f"the task '{task.id}' is in {'several plans' if holding else 'no plan'}",
            where=_WHERE,
            fix="Take a task as a plan holds it, and say which with `plan=`.",
        )

    def _earlier(self, plan: Plan, task: Task) -> dict[str, Future[object]]:
        """Return the assigned tasks of the stages before, and all that the task depends on."""
        missing = [name for name in task.depends_on if f"{plan.id}/{name}" not in self._assigned]
        if missing:
            raise UserError(
                f"the task '{task.id}' depends on {', '.join(missing)}, not assigned yet",
                where=_WHERE,
                fix="Assign the tasks in the order of the plan.",
            )
        return {
            other.id: future
            for other in plan.tasks
            if (future := self._assigned.get(f"{plan.id}/{other.id}")) is not None
            and (other.id in task.depends_on or _stage(other) < _stage(task))
        }


def _require_role(task: Task, role: Role | str) -> None:
    try:
        named = Role(role)
    except ValueError:
        raise UserError(
            f"there is no role '{role}'",
            where=_WHERE,
            fix=f"Roles are {', '.join(known.value for known in Role)}.",
        ) from None
    if named is not task.role:
        raise UserError(
            f"a {named.value} cannot do the {task.task_type.value} task '{task.id}'",
            where=_WHERE,
            fix=f"Assign it to {task.role.value}.",
        )


def _stage(task: Task) -> int:
    return task.task_type.work.stage


def _has_failed(future: Future[object]) -> bool:
    return future.done() and (future.cancelled() or future.exception() is not None)


def _result(future: Future[object], task_id: str, timeout: float | None) -> object:
    # not a TimeoutError of the task's own, which is no sign that it still runs
    with suppress(FutureTimeoutError):
        future.exception(timeout)
    if not future.done():
        raise TimeoutError(f"{task_id} is not done after {timeout:g} s; it goes on")
    return future.result()
