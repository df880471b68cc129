"""What a task that a review sent back is to change: the kernel or the file as it was reviewed."""

from pydantic import ValidationError
from sqlalchemy import select

from rocm_pipeline.agents.kernel_task import ReviewedKernel
from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.planning.follow_up import plan_before, subject_of
from rocm_pipeline.planning.plan import Plan, Task
from rocm_pipeline.planning.returned import newest_evidence
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import ReplyRow
from rocm_pipeline.targets.launch_plan import LaunchPlan


def reviewed_kernel(records: Records, task: Task) -> ReviewedKernel | None:
    """Return the kernel that a task is to change, with its evidence; None for any other task."""
    subject = subject_of(task)
    row = records.candidate(subject) if subject else None
    evidence = newest_evidence(records, subject) if row else None
    if row is None or evidence is None:
        return None
    candidate = Candidate(
        target=row.target,
        source=records.store.get_text(row.source_sha256),
        launch_plan=LaunchPlan.model_validate_json(records.store.get(row.plan_sha256)),
    )
    return ReviewedKernel(candidate, evidence)


def reviewed_file(records: Records, plan: Plan, task: Task, file: str) -> str:
    """Return the agent's own text of the file that a task is to change; nothing for other tasks.

    It is the last that the task before sent: that one was reviewed.
    """
    before = records.plan(plan_before(plan.planner)) if subject_of(task) else None
    if before is None:
        return ""
    earlier = Plan.model_validate_json(records.store.get(before.json_sha256))
    names = [each.id for each in earlier.tasks_of(task.task_type.work)]
    query = (
        select(ReplyRow)
        .where(ReplyRow.plan_id == earlier.id, ReplyRow.task_id.in_(names))
        .order_by(ReplyRow.created_at.desc())
    )
    with records.database.reading() as session:
        rows = list(session.scalars(query))
    texts = (_file_of(records.store.get(row.json_sha256), file) for row in rows)
    return next((text for text in texts if text), "")


def _file_of(document: bytes, file: str) -> str:
    """Return a file of a reply; a reply that could not be read was kept as it came."""
    try:
        return Reply.model_validate_json(document).file(file) or ""
    except ValidationError:
        return ""
