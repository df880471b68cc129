"""The records of a home: what was planned, asked, answered, judged and published.

Every `save_*` may be repeated: the same id a second time changes nothing and is no error.
"""

import logging
from dataclasses import dataclass

from sqlalchemy import select

from rocm_pipeline.records.database import Database
from rocm_pipeline.records.files import Files
from rocm_pipeline.records.journal import Journal
from rocm_pipeline.records.leases import Leases
from rocm_pipeline.records.ledger import Ledger
from rocm_pipeline.records.schema import (
    ArtefactRow,
    CandidateRow,
    EvidenceRow,
    OriginRow,
    PlanRow,
    PullRequestRow,
    ReplyRow,
    ReviewRow,
    TaskRow,
)
from rocm_pipeline.records.store import Store, canonical_json, sha256

_log = logging.getLogger(__name__)

PASSED = "PASSED"
"""Status of evidence that makes a candidate count."""


@dataclass(frozen=True)
class Best:
    """A candidate that stands, with the strongest evidence for it."""

    candidate: CandidateRow
    evidence: EvidenceRow


@dataclass(frozen=True)
class Judged:
    """A kernel that came in a reply, with the newest evidence about it."""

    evidence: EvidenceRow
    tasks: tuple[str, ...]
    """Ids of the tasks whose agents sent it."""


class Records:
    """Database, store, journal, ledger and the fleet's leases of one home."""

    def __init__(self, database: Database, store: Store, inbox: Files) -> None:
        self.database = database
        self.store = store
        self.journal = Journal(database, store, inbox)
        self.ledger = Ledger(database)
        self.leases = Leases(database)

    @classmethod
    def open(cls, url: str, store_url: str) -> "Records":
        """Open or make the records at `url` (file path or SQLAlchemy URL) and their blobs.

        Settles what processes that ended in the middle of a call left behind. Raises UserError
        when database or store cannot be used.
        """
        inbox = Files(f"{store_url.rstrip('/')}/inbox")
        records = cls(Database(url), Store(store_url), inbox)
        recovery = records.journal.recover()
        if recovery.completed or recovery.unknown:
            _log.warning(
                "processes ended during calls to models: %d answers saved, %d calls of unknown "
                "outcome",
                len(recovery.completed),
                len(recovery.unknown),
            )
        return records

    def close(self) -> None:
        self.database.close()

    def save_plan(
        self,
        plan_id: str,
        *,
        target: str,
        commit: str,
        planner: str,
        document: str,
        attempt_id: str | None = None,
    ) -> None:
        """`document` is the plan as JSON, as it is for the other kinds of record below."""
        digest = self.store.put_text(document)
        self.database.add_once(
            PlanRow(
                plan_id=plan_id,
                target=target,
                commit=commit,
                planner=planner,
                json_sha256=digest,
                attempt_id=attempt_id,
            ),
            ArtefactRow(sha256=digest, kind="plan", owner_id=plan_id),
        )

    def save_task(
        self, plan_id: str, task_id: str, *, target: str, role: str, document: str
    ) -> None:
        self.database.add_once(
            TaskRow(
                plan_id=plan_id,
                task_id=task_id,
                target=target,
                role=role,
                json_sha256=self.store.put_text(document),
            )
        )

    def save_reply(
        self, attempt_id: str, *, plan_id: str, task_id: str, target: str, document: str
    ) -> str:
        """Save the parsed answer of an attempt and return the reply's id."""
        digest = self.store.put_text(document)
        reply_id = (
            f"r-{sha256(canonical_json([attempt_id, plan_id, task_id, digest]).encode())[:16]}"
        )
        self.database.add_once(
            ReplyRow(
                reply_id=reply_id,
                attempt_id=attempt_id,
                plan_id=plan_id,
                task_id=task_id,
                target=target,
                json_sha256=digest,
            ),
            ArtefactRow(sha256=digest, kind="reply", owner_id=reply_id),
        )
        return reply_id

    def save_candidate(
        self,
        candidate_id: str,
        *,
        target: str,
        source: str,
        launch_plan: str,
        task_id: str | None = None,
        reply_id: str | None = None,
        parents: tuple[str, ...] = (),
        round: int = 0,
    ) -> None:
        """Save a kernel and where it came from; a baseline comes from no reply."""
        source_sha256 = self.store.put_text(source)
        plan_sha256 = self.store.put_text(launch_plan)
        origin: list[OriginRow] = []
        if reply_id is not None:
            origin.append(
                OriginRow(
                    candidate_id=candidate_id,
                    reply_id=reply_id,
                    task_id=task_id or "",
                    parents=parents,
                    round=round,
                )
            )
        self.database.add_once(
            CandidateRow(
                candidate_id=candidate_id,
                target=target,
                source_sha256=source_sha256,
                plan_sha256=plan_sha256,
            ),
            ArtefactRow(sha256=source_sha256, kind="source", owner_id=candidate_id),
            ArtefactRow(sha256=plan_sha256, kind="launch plan", owner_id=candidate_id),
            *origin,
        )

    def save_evidence(
        self,
        evidence_id: str,
        *,
        identity: str,
        candidate_id: str,
        target: str,
        tier: int | None,
        status: str,
        document: str,
        speedup_low: float | None = None,
    ) -> None:
        """`identity` names the experiment: equal identities need not be run twice."""
        digest = self.store.put_text(document)
        self.database.add_once(
            EvidenceRow(
                evidence_id=evidence_id,
                identity=identity,
                candidate_id=candidate_id,
                target=target,
                tier=tier,
                status=status,
                speedup_low=speedup_low,
                json_sha256=digest,
            ),
            ArtefactRow(sha256=digest, kind="evidence", owner_id=evidence_id),
        )

    def find_evidence(self, identity: str) -> EvidenceRow | None:
        """Return the newest evidence of an experiment, or None when it was never run."""
        query = (
            select(EvidenceRow)
            .where(EvidenceRow.identity == identity)
            .order_by(EvidenceRow.created_at.desc())
            .limit(1)
        )
        with self.database.reading() as session:
            return session.scalar(query)

    def save_review(
        self,
        review_id: str,
        *,
        candidate_id: str,
        target: str,
        reviewer: str,
        verdict: str,
        evidence_ids: tuple[str, ...],
        document: str,
        attempt_id: str | None = None,
    ) -> None:
        digest = self.store.put_text(document)
        self.database.add_once(
            ReviewRow(
                review_id=review_id,
                candidate_id=candidate_id,
                target=target,
                reviewer=reviewer,
                verdict=verdict,
                evidence_ids=evidence_ids,
                attempt_id=attempt_id,
                json_sha256=digest,
            ),
            ArtefactRow(sha256=digest, kind="review", owner_id=review_id),
        )

    def save_pull_request(
        self,
        pull_request_id: str,
        *,
        target: str,
        candidate_id: str,
        branch: str,
        commit: str,
        state: str,
        evidence_id: str | None = None,
        url: str | None = None,
    ) -> None:
        """Unlike the other records a pull request changes: the last call holds."""
        new = PullRequestRow(
            pull_request_id=pull_request_id,
            target=target,
            candidate_id=candidate_id,
            evidence_id=evidence_id,
            branch=branch,
            commit=commit,
            url=url,
            state=state,
        )
        with self.database.writing() as session:
            old = session.get(PullRequestRow, pull_request_id)
            if old is not None:
                new.created_at = old.created_at
            session.merge(new)

    def save_artefact(self, content: bytes, *, kind: str, owner_id: str) -> str:
        """Store a file made for a record, so that its bytes lead back to it; return its hash."""
        digest = self.store.put(content)
        self.database.add_once(ArtefactRow(sha256=digest, kind=kind, owner_id=owner_id))
        return digest

    def plan(self, plan_id: str) -> PlanRow | None:
        return self.database.get(PlanRow, plan_id)

    def candidate(self, candidate_id: str) -> CandidateRow | None:
        return self.database.get(CandidateRow, candidate_id)

    def evidence(self, evidence_id: str) -> EvidenceRow | None:
        return self.database.get(EvidenceRow, evidence_id)

    def judged(self, target: str, limit: int) -> list[Judged]:
        """Return the `limit` kernels of `target` judged last that came in replies, newest first."""
        newest = (
            select(EvidenceRow)
            .where(EvidenceRow.target == target)
            .order_by(EvidenceRow.created_at.desc(), EvidenceRow.evidence_id)
        )
        with self.database.reading() as session:
            tasks: dict[str, set[str]] = {}
            for origin in session.scalars(
                select(OriginRow).join(CandidateRow).where(CandidateRow.target == target)
            ):
                tasks.setdefault(origin.candidate_id, set()).add(origin.task_id)
            by_candidate: dict[str, EvidenceRow] = {}
            for row in session.scalars(newest):
                if row.candidate_id in tasks:
                    by_candidate.setdefault(row.candidate_id, row)
                if len(by_candidate) == limit:
                    break
        return [
            Judged(row, tuple(sorted(tasks[candidate]))) for candidate, row in by_candidate.items()
        ]

    def best_candidates(self, target: str, limit: int = 10) -> list[Best]:
        """Return the candidates of `target` that stand, best first.

        A candidate stands when its newest evidence passed. The strongest evidence ranks it: by
        tier, then by the lower end of its speed-up; a candidate without one comes last.
        """
        query = (
            select(EvidenceRow)
            .where(EvidenceRow.target == target)
            .order_by(EvidenceRow.created_at.desc())
        )
        with self.database.reading() as session:
            by_candidate: dict[str, list[EvidenceRow]] = {}
            for row in session.scalars(query):
                by_candidate.setdefault(row.candidate_id, []).append(row)
            strongest = [
                max((row for row in rows if row.status == PASSED), key=_strength)
                for rows in by_candidate.values()
                if rows[0].status == PASSED
            ]
            ranked = sorted(strongest, key=_strength, reverse=True)[:limit]
            return [Best(session.get_one(CandidateRow, row.candidate_id), row) for row in ranked]


def _strength(row: EvidenceRow) -> tuple[int, float]:
    return (-1 if row.tier is None else row.tier, row.speedup_low or 0.0)
