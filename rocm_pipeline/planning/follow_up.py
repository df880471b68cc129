"""What becomes of a review that asks for changes: tasks for those who can make them.

The follow-up is a plan of its own, made from the plan that led to the kernel: the count of returns
is in the ids of its tasks, and its planner names the plan before it. So nothing is rewritten, and
whoever plans next finds where work stands (`planning/returned.py`).
"""

import re
from collections.abc import Iterable

from rocm_pipeline.planning.plan import Plan, Role, Task, Work
from rocm_pipeline.planning.review import Heading, Review, ReviewFinding, Verdict

MAX_RETURNS = 2
"""How often a target's work goes back; then the verdict stands and a person decides."""
REVIEWED = "reviewed kernel "
"""Before a kernel's id among a task's reference docs: what the changes are asked of."""
MAX_ASKED = 6
"""Findings that one task is given."""

_WORK = {
    Role.KERNEL_DEV: Work.KERNEL,
    Role.PYTORCH_DEV: Work.INTEGRATION,
    Role.DOCS_WRITER: Work.DOCS,
}
_OF_FILE = {
    "kernel.hip": Role.KERNEL_DEV,
    "launch_plan.json": Role.KERNEL_DEV,
    "op.py": Role.PYTORCH_DEV,
    "documentation.md": Role.DOCS_WRITER,
}
_OF_RECORD = {"op": Role.PYTORCH_DEV, "doc": Role.DOCS_WRITER}
"""By what stands before the first hyphen of an evidence id."""
_CHANGES = re.compile(r"(?P<base>[a-z0-9_]+?)_changes_(?P<number>[0-9]+)")
_ASKED = ", changes asked of "
"""Between the planner of the plan before and that plan's id."""
_MAX_BASE = 28
"""Characters of a task's id that its follow-ups keep, so that theirs stay ids."""


def role_of(finding: ReviewFinding) -> Role:
    """Return who can mend what a finding names: by what it cites, else by its heading."""
    file, is_line, _ = finding.cites.partition(":")
    if is_line and file in _OF_FILE:
        return _OF_FILE[file]
    record = finding.cites.partition("-")[0]
    if record in _OF_RECORD:
        return _OF_RECORD[record]
    return Role.PYTORCH_DEV if finding.heading is Heading.INTEGRATION else Role.KERNEL_DEV


def returned(plan: Plan) -> int:
    """Return how often work of this plan has gone back already."""
    numbers = (_CHANGES.fullmatch(task.id) for task in plan.tasks)
    return max((int(found["number"]) for found in numbers if found), default=0)


def asked_tasks(plan: Plan) -> tuple[Task, ...]:
    """Return the tasks of the last return; none for a planner's own plan."""
    ending = f"_changes_{returned(plan)}"
    return tuple(task for task in plan.tasks if task.id.endswith(ending))


def returned_kernels(plan: Plan) -> frozenset[str]:
    """Return the ids of kernels that a kernel developer was asked to change.

    They passed every check and may be the fastest: whoever chooses must pass them over.
    """
    kernels = (task for task in plan.tasks if task.role is Role.KERNEL_DEV)
    subjects = (subject_of(task) for task in kernels)
    return frozenset(subject for subject in subjects if subject)


def subject_of(task: Task) -> str:
    """Return the id of the kernel that a task is to change; nothing for any other task."""
    docs = task.context.reference_docs
    return next((doc.removeprefix(REVIEWED) for doc in docs if doc.startswith(REVIEWED)), "")


def tasks(review: Review, plan: Plan, author_task: str = "") -> tuple[Task, ...]:
    """Return a task for each role that has something to change; none once the limit is reached.

    `author_task` is the task whose answer the kernel was; without one, any kernel task's author is
    asked.
    """
    number = returned(plan) + 1
    if review.verdict is not Verdict.CHANGES or number > MAX_RETURNS:
        return ()
    asked: dict[Role, list[ReviewFinding]] = {}
    for finding in review.findings:
        if finding.severity in ("blocker", "major"):
            asked.setdefault(role_of(finding), []).append(finding)
    found: list[Task] = []
    for role, findings in asked.items():
        before = _task_before(plan, role, author_task)
        if before is not None:
            found.append(_changed(before, findings, review, number))
    return tuple(found)


def amended(plan: Plan, review: Review, author_task: str = "") -> Plan:
    """Return the plan with the changes that a review asks for; the same plan where it asks none.

    A kernel developer's task comes on top, for its candidate competes with the others. The one
    task for the operator or the documentation takes the place of the one before.
    """
    new = {task.role: task for task in tasks(review, plan, author_task)}
    if not new:
        return plan
    renamed: dict[str, str] = {}
    kept: list[Task] = []
    for task in plan.tasks:
        changed = new.get(task.role)
        if changed is None:
            kept.append(task)
        elif changed.role is Role.KERNEL_DEV:
            kept.append(task)
            if task is _task_before(plan, Role.KERNEL_DEV, author_task):
                kept.append(changed)
                renamed[task.id] = changed.id
        else:
            kept.append(changed)
            renamed[task.id] = changed.id
    return Plan(
        target=plan.target,
        commit=plan.commit,
        planner=planner_after(plan),
        tasks=tuple(_after(task, renamed, {t.id for t in kept}) for task in kept),
    )


def plan_before(planner: str) -> str:
    """Return the id of the plan that a review asked to change; nothing for a planner's own."""
    return planner.rpartition(_ASKED)[2] if _ASKED in planner else ""


def planner_after(plan: Plan) -> str:
    """Return the planner of the plan that a review makes of `plan`."""
    return f"{plan.planner}{_ASKED}{plan.id}"


def _task_before(plan: Plan, role: Role, author_task: str) -> Task | None:
    of_role = plan.tasks_of(_WORK[role])
    authors = (task for task in of_role if task.id == author_task)
    return next(authors, of_role[0] if of_role else None)


def _changed(before: Task, findings: Iterable[ReviewFinding], review: Review, number: int) -> Task:
    earlier = _CHANGES.fullmatch(before.id)
    base = (earlier["base"] if earlier else before.id)[:_MAX_BASE]
    asked = tuple(f"{f.severity} at {f.cites}: {f.message}" for f in findings)[:MAX_ASKED]
    docs = tuple(d for d in before.context.reference_docs if not d.startswith(REVIEWED))
    context = before.context.model_copy(
        update={
            "constraints": (*before.context.constraints, *asked),
            "reference_docs": (*docs, f"{REVIEWED}{review.subject}"),
        }
    )
    return before.model_copy(update={"id": f"{base}_changes_{number}", "context": context})


def _after(task: Task, renamed: dict[str, str], present: set[str]) -> Task:
    """Let a task wait for what was added to or took the place of those that it waits for."""
    depends = [
        each
        for old in task.depends_on
        for each in (old, renamed.get(old, ""))
        if each in present and each != task.id
    ]
    return task.model_copy(update={"depends_on": tuple(dict.fromkeys(depends))})
