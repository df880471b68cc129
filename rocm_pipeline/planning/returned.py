"""Work that reviews sent back, as the records hold it: which plan to go on with, and its kernel.

Nothing but plans, reviews and evidence is kept for this: a plan that a review made is open until
the next final review of its target.
"""

from sqlalchemy import select

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.planning.follow_up import MAX_RETURNS, plan_before, planner_after, subject_of
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.planning.review import Review
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import EvidenceRow, PlanRow, ReviewRow
from rocm_pipeline.targets.spec import Target


def save(records: Records, plan: Plan, attempt_id: str | None = None) -> None:
    """Keep a plan, its tasks, and the call of a model whose answer it is."""
    records.save_plan(
        plan.id,
        target=plan.target,
        commit=plan.commit,
        planner=plan.planner,
        document=plan.model_dump_json(),
        attempt_id=attempt_id,
    )
    for task in plan.tasks:
        records.save_task(
            plan.id,
            task.id,
            target=plan.target,
            role=task.role.value,
            document=task.model_dump_json(),
        )


def continued(records: Records, plan: Plan, target: Target) -> Plan:
    """Return the last plan that reviews made of `plan`; `plan` itself where none did.

    What was asked about a kernel for another version of the target is not taken up.
    """
    query = (
        select(PlanRow)
        .where(PlanRow.target == plan.target, PlanRow.commit == plan.commit)
        .order_by(PlanRow.created_at.desc())
    )
    with records.database.reading() as session:
        rows = list(session.scalars(query))
    for _ in range(MAX_RETURNS):
        following = next((row for row in rows if row.planner == planner_after(plan)), None)
        document = _document(records, following.json_sha256) if following else None
        if document is None:
            break
        asked = Plan.model_validate_json(document)
        if not _is_about(records, asked, target):
            break
        plan = asked
    return plan


def open_follow_up(records: Records, target: Target, commit: str) -> Plan | None:
    """Return the plan that a review asked for and that has led to no review yet.

    None where the last plan is a planner's own, where it is of another commit, and where the kernel
    was judged on another version of the target: then there is nothing left to be changed.
    """
    query = (
        select(PlanRow)
        .where(PlanRow.target == target.name)
        .order_by(PlanRow.created_at.desc(), PlanRow.plan_id)
        .limit(1)
    )
    with records.database.reading() as session:
        row = session.scalar(query)
    if row is None or not plan_before(row.planner) or row.commit != commit:
        return None
    document = _document(records, row.json_sha256)
    if document is None or _is_reviewed_since(records, row):
        return None
    plan = Plan.model_validate_json(document)
    return plan if _is_about(records, plan, target) else None


def newest_evidence(records: Records, kernel: str) -> Evidence | None:
    """Return what the harness found last about the kernel of this id."""
    query = (
        select(EvidenceRow)
        .where(EvidenceRow.candidate_id == kernel)
        .order_by(EvidenceRow.created_at.desc(), EvidenceRow.evidence_id)
        .limit(1)
    )
    with records.database.reading() as session:
        row = session.scalar(query)
    document = _document(records, row.json_sha256) if row else None
    return Evidence.model_validate_json(document) if document is not None else None


def _is_about(records: Records, plan: Plan, target: Target) -> bool:
    """Say whether a kernel that is to be changed was judged on this version of the target."""
    subjects = {subject for task in plan.tasks if (subject := subject_of(task))}
    judged = [newest_evidence(records, subject) for subject in subjects]
    return any(found and found.identity.target_sha256 == target.sha256 for found in judged)


def _is_reviewed_since(records: Records, row: PlanRow) -> bool:
    query = select(ReviewRow).where(
        ReviewRow.target == row.target, ReviewRow.created_at > row.created_at
    )
    with records.database.reading() as session:
        found = [_document(records, review.json_sha256) for review in session.scalars(query)]
    kinds = {Review.model_validate_json(document).kind for document in found if document}
    return "final" in kinds


def _document(records: Records, digest: str) -> bytes | None:
    """Return a document; None where the store has lost it, so that work starts afresh."""
    try:
        return records.store.get(digest)
    except UserError:
        return None
