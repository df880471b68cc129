"""Questions about several subjects at once, kept before they are put.

Steps of different processes come to the same subjects at different times. Whoever comes first
makes the question; whoever comes later finds it, puts the very same one, and the journal answers.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import select

from rocm_pipeline.records.database import Database
from rocm_pipeline.records.schema import ArtefactRow
from rocm_pipeline.records.store import Store

KIND = "question"


class QuestionBook:
    """In which question each subject is asked about; safe for processes."""

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._store = store

    def question(
        self,
        key: str,
        beside: Sequence[str],
        compose: Callable[[Sequence[str]], tuple[str, int]],
    ) -> str:
        """Return the question that the subject of `key` is in.

        Where there is none, `compose` makes it of `key` and of those of `beside` that are in none
        either: it returns a question about the first of the keys it is given, as many as have room,
        and how many these are. A key must stand for all that is asked about its subject: another
        content is another key.
        """
        keys = tuple(dict.fromkeys((key, *beside)))
        of_them = ArtefactRow.owner_id.in_(keys)
        wanted = select(ArtefactRow).where(ArtefactRow.kind == KIND).where(of_them)
        with self._database.writing_alone() as session:
            kept = {row.owner_id: row.sha256 for row in session.scalars(wanted)}
            if key in kept:
                return self._store.get_text(kept[key])
            new = [each for each in keys if each not in kept]
            text, taken = compose(new)
            digest = self._store.put_text(text)
            session.add_all(
                ArtefactRow(sha256=digest, kind=KIND, owner_id=each) for each in new[:taken]
            )
        return text
