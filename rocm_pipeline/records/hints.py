"""Which task of a plan has the plan's one hint, and what the hint was."""

from rocm_pipeline.records.database import Database
from rocm_pipeline.records.schema import ArtefactRow, HintRow
from rocm_pipeline.records.store import Store


class HintBook:
    """One hint for a plan, whichever of its tasks claims it first; safe for processes."""

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._store = store

    def claim(self, plan_id: str, *, target: str, task_id: str) -> bool:
        """Give the plan's hint to this task, if no other has it; say whether this one has it."""
        self._database.add_once(HintRow(plan_id=plan_id, target=target, task_id=task_id))
        row = self._database.get(HintRow, plan_id)
        return row is not None and row.task_id == task_id

    def hint(self, plan_id: str) -> str | None:
        """Return the hint that was kept; None when none was, an empty text when none came."""
        row = self._database.get(HintRow, plan_id)
        if row is None or not row.is_answered:
            return None
        return self._store.get_text(row.text_sha256) if row.text_sha256 else ""

    def keep(self, plan_id: str, text: str, attempt_id: str | None) -> None:
        """Keep what came of asking for a hint that was claimed; an empty text is no hint."""
        digest = self._store.put_text(text) if text else None
        with self._database.writing() as session:
            row = session.get_one(HintRow, plan_id)
            row.is_answered = True
            row.text_sha256 = digest
            row.attempt_id = attempt_id
        if digest:
            self._database.add_once(ArtefactRow(sha256=digest, kind="hint", owner_id=plan_id))
