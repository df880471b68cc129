"""The form of a plan as a model fills it in, and the Plan that is made of it.

The form is flat and holds no bounds, since structured output enforces none; every rule is checked
here, and all that is wrong is said at once, so that one repair can mend it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from math import isfinite

from pydantic import BaseModel, ConfigDict, ValidationError

from rocm_pipeline.errors import one_line
from rocm_pipeline.planning.acceptance import acceptance_for
from rocm_pipeline.planning.plan import (
    Context,
    Plan,
    Priority,
    Role,
    Task,
    TaskType,
    Work,
    uncovered,
)
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.targets.spec import Target

MIN_HOURS, MAX_HOURS = 2.0, 4.0
MAX_TASKS: dict[Work, int] = {Work.TESTING: 2, Work.KERNEL: 4}
"""Of the kinds that a plan may hold several of."""
MAX_OBJECTIVE = 1200
MAX_CONSTRAINTS = 8
MAX_CONSTRAINT = 300
MAX_SPEEDUP = 100.0
_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")


class PlannedTask(BaseModel):
    """One task. `architectures` and `speedup` are the aim of a kernel task; others leave them."""

    model_config = ConfigDict(extra="forbid")

    id: str
    role: Role
    task_type: TaskType
    priority: Priority
    objective: str
    constraints: list[str]
    files: list[str]
    depends_on: list[str]
    estimated_hours: float
    architectures: list[str]
    speedup: float


class PlanForm(BaseModel):
    """What the planner is asked for."""

    model_config = ConfigDict(extra="forbid")

    tasks: list[PlannedTask]


class InvalidPlanError(Exception):
    """A filled-in form is no plan; `problems` says everything that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def plan_of(form: PlanForm, target: Target, snapshot: RepoSnapshot, planner: str) -> Plan:
    """Return the Plan that `form` describes; InvalidPlanError with all that is wrong."""
    problems = list(_problems(form, target, snapshot))
    if problems:
        raise InvalidPlanError(problems)
    numbers: Counter[Role] = Counter()
    tasks: list[Task] = []
    try:
        for planned in form.tasks:
            numbers[planned.role] += 1
            tasks.append(_task(planned, target, numbers[planned.role]))
        return Plan(target=target.name, commit=snapshot.commit, planner=planner, tasks=tuple(tasks))
    except ValidationError as error:
        raise InvalidPlanError([item["msg"] for item in error.errors()]) from error


def _task(planned: PlannedTask, target: Target, number: int) -> Task:
    work = planned.task_type.work
    is_kernel = work is Work.KERNEL
    return Task(
        id=planned.id,
        agent_id=f"{planned.role.value}_{number}",
        task_type=planned.task_type,
        priority=planned.priority,
        context=Context(
            files=tuple(dict.fromkeys(planned.files)),
            objective=one_line(planned.objective, MAX_OBJECTIVE),
            # the target's own come first and are never left out
            constraints=tuple(dict.fromkeys((*target.constraints, *_lines(planned.constraints)))),
            reference_docs=target.reference_docs,
        ),
        expected_output=work.expected_output,
        max_tokens=work.max_tokens,
        depends_on=tuple(dict.fromkeys(planned.depends_on)),
        estimated_hours=planned.estimated_hours,
        acceptance=acceptance_for(target, tuple(planned.architectures), planned.speedup)
        if is_kernel
        else None,
    )


def _lines(texts: Sequence[str]) -> Iterator[str]:
    return (one_line(text, MAX_CONSTRAINT) for text in texts)


def _problems(form: PlanForm, target: Target, snapshot: RepoSnapshot) -> Iterator[str]:
    yield from uncovered(task.task_type for task in form.tasks)
    count = Counter(task.task_type.work for task in form.tasks)
    for work, most in MAX_TASKS.items():
        if count[work] > most:
            yield f"{count[work]} {work.value} tasks; at most {most}"
    works: dict[str, Work] = {}
    for number, task in enumerate(form.tasks, start=1):
        where = f"task {number}"
        if not _ID.fullmatch(task.id):
            yield f"{where}: an id is 1 to 40 of a-z, 0-9 and _, and begins with a letter"
        elif task.id in works:
            yield f"{where}: its id is that of an earlier task"
        yield from (f"{where}: {problem}" for problem in _of_task(task, target, snapshot))
        yield from (f"{where}: {problem}" for problem in _order(task, works))
        works[task.id] = task.task_type.work
    aims = Counter(
        one_line(task.objective, MAX_OBJECTIVE).casefold()
        for task in form.tasks
        if task.task_type.work is Work.KERNEL
    )
    if any(times > 1 for times in aims.values()):
        yield "two kernel tasks have the same objective; give each a direction of its own"


def _of_task(task: PlannedTask, target: Target, snapshot: RepoSnapshot) -> Iterator[str]:
    work = task.task_type.work
    if task.role is not work.role:
        yield f"a {task.task_type.value} task is for the role {work.role.value}"
    if not task.objective.strip():
        yield "it has no objective"
    if len(task.objective) > MAX_OBJECTIVE:
        yield f"its objective has {len(task.objective)} characters; at most {MAX_OBJECTIVE}"
    if len(task.constraints) > MAX_CONSTRAINTS:
        yield f"{len(task.constraints)} constraints; at most {MAX_CONSTRAINTS}"
    if any(len(text) > MAX_CONSTRAINT for text in task.constraints):
        yield f"a constraint has more than {MAX_CONSTRAINT} characters"
    if any(path not in snapshot.files for path in task.files):
        yield f"files may only be among: {', '.join(sorted(snapshot.files)) or 'none'}"
    if not MIN_HOURS <= task.estimated_hours <= MAX_HOURS:
        yield f"{task.estimated_hours:g} hours; a task is {MIN_HOURS:g} to {MAX_HOURS:g}"
    if work is Work.KERNEL:
        yield from _aim(task, target)


def _aim(task: PlannedTask, target: Target) -> Iterator[str]:
    if not task.architectures or not set(task.architectures) <= set(target.architectures):
        yield f"architectures are some of: {', '.join(target.architectures)}"
    elif len(set(task.architectures)) < len(task.architectures):
        yield "an architecture is named twice"
    if not (isfinite(task.speedup) and 1 <= task.speedup <= MAX_SPEEDUP):
        yield f"speedup is a factor of 1 to {MAX_SPEEDUP:g}"


def _order(task: PlannedTask, earlier: dict[str, Work]) -> Iterator[str]:
    """A task waits for tasks above it whose stage is before its own; others run beside it."""
    for name in task.depends_on:
        if name not in earlier:
            yield "depends_on may only name tasks that stand above it in the list"
        elif earlier[name].stage >= task.task_type.work.stage:
            yield (
                f"a {task.task_type.work.value} task cannot wait for a {earlier[name].value} task"
            )
