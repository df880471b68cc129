"""The form of a plan as a model fills it in, and the Plan that is made of it.

The form is flat and holds no bounds, since structured output enforces none; every rule is checked
here, and all that is wrong is said at once, so that one repair can mend it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from math import isfinite

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
    """One task. What is mostly the same may be left out; role and order follow from `task_type`."""

    model_config = ConfigDict(extra="forbid")

    id: str
    task_type: TaskType
    objective: str
    priority: Priority = Priority.NORMAL
    constraints: list[str] = Field(default_factory=list)
    files: list[str] = Field(default_factory=list)
    estimated_hours: float = 3.0
    architectures: list[str] = Field(default_factory=list)
    """Where a kernel task aims at its `speedup`; empty for all that the target names."""
    speedup: float = 1.0


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
        for planned in sorted(form.tasks, key=lambda task: task.task_type.work.stage):
            role = planned.task_type.work.role
            numbers[role] += 1
            tasks.append(_task(planned, target, f"{role.value}_{numbers[role]}", tasks))
        return Plan(target=target.name, commit=snapshot.commit, planner=planner, tasks=tuple(tasks))
    except ValidationError as error:
        raise InvalidPlanError([item["msg"] for item in error.errors()]) from error


def _task(planned: PlannedTask, target: Target, agent: str, before: Sequence[Task]) -> Task:
    work = planned.task_type.work
    return Task(
        id=planned.id,
        agent_id=agent,
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
        depends_on=_awaited(work, before),
        estimated_hours=planned.estimated_hours,
        acceptance=acceptance_for(target, tuple(planned.architectures), planned.speedup)
        if work is Work.KERNEL
        else None,
    )


def _awaited(work: Work, before: Sequence[Task]) -> tuple[str, ...]:
    """Return the tasks of the last stage before that of `work`.

    Which kernel is chosen shows only when all are judged, so that no other order is of use.
    """
    stages = {task.id: task.task_type.work.stage for task in before}
    last = max((stage for stage in stages.values() if stage < work.stage), default=None)
    return tuple(name for name, stage in stages.items() if stage == last)


def _lines(texts: Sequence[str]) -> Iterator[str]:
    return (one_line(text, MAX_CONSTRAINT) for text in texts)


def _problems(form: PlanForm, target: Target, snapshot: RepoSnapshot) -> Iterator[str]:
    yield from uncovered(task.task_type for task in form.tasks)
    count = Counter(task.task_type.work for task in form.tasks)
    for work, most in MAX_TASKS.items():
        if count[work] > most:
            yield f"{count[work]} {work.value} tasks; at most {most}"
    ids: set[str] = set()
    for number, task in enumerate(form.tasks, start=1):
        where = f"task {number}"
        if not _ID.fullmatch(task.id):
            yield f"{where}: an id is 1 to 40 of a-z, 0-9 and _, and begins with a letter"
        elif task.id in ids:
            yield f"{where}: its id is that of an earlier task"
        yield from (f"{where}: {problem}" for problem in _of_task(task, target, snapshot))
        ids.add(task.id)
    aims = Counter(
        one_line(task.objective, MAX_OBJECTIVE).casefold()
        for task in form.tasks
        if task.task_type.work is Work.KERNEL
    )
    if any(times > 1 for times in aims.values()):
        yield "two kernel tasks have the same objective; give each a direction of its own"


def _of_task(task: PlannedTask, target: Target, snapshot: RepoSnapshot) -> Iterator[str]:
    work = task.task_type.work
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
    if not set(task.architectures) <= set(target.architectures):
        yield f"architectures are some of: {', '.join(target.architectures)}"
    elif len(set(task.architectures)) < len(task.architectures):
        yield "an architecture is named twice"
    if not (isfinite(task.speedup) and 1 <= task.speedup <= MAX_SPEEDUP):
        yield f"speedup is a factor of 1 to {MAX_SPEEDUP:g}"
