"""From anything back to its beginning.

pull request <- review, evidence <- candidate <- reply <- attempt <- task <- plan <- commit

The attempts are all that it took: those of reviews and of a plan that a model made too.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from rocm_pipeline.errors import UserError
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import (
    ArtefactRow,
    AttemptRow,
    CandidateRow,
    EvidenceRow,
    OriginRow,
    PlanRow,
    PullRequestRow,
    ReplyRow,
    ReviewRow,
    TaskRow,
)
from rocm_pipeline.records.store import sha256

_Judgement = TypeVar("_Judgement", EvidenceRow, ReviewRow, PullRequestRow)

KINDS = (
    "file",
    "pull request",
    "review",
    "evidence",
    "candidate",
    "reply",
    "attempt",
    "task",
    "plan",
    "commit",
)
"""Kinds of link, from the newest to the oldest; the order of a chain."""
SHORTEST_COMMIT = 7
"""Digits of a commit that are enough to name it."""


@dataclass(frozen=True)
class Link:
    """One record of a chain, and the facts that tie it to the next ones."""

    kind: str
    id: str
    facts: dict[str, str]


def lineage(records: Records, what: str) -> list[Link]:
    """Return the chain through `what`, newest record first.

    `what` is the id of a candidate, evidence, review, reply, attempt, plan, task or pull request;
    a commit or branch; or the path of a file, or the SHA-256 of one. Raises UserError when the
    records do not know it.
    """
    with records.database.reading() as session:
        walk = _Walk(session)
        if not walk.from_file(Path(what)) and not walk.from_name(what):
            raise UserError(
                "the records do not know this",
                where=what,
                fix="Name a file that the pipeline wrote unchanged, or the id of a candidate "
                "(k-...), evidence (ev-...), task, plan, attempt, commit or branch.",
            )
        return walk.chain()


def render(links: list[Link]) -> str:
    """Return the chain as plain text, one record a line with its facts below."""
    lines: list[str] = []
    for number, link in enumerate(links):
        lines.append(f"{'<- ' if number else ''}{link.kind} {link.id}")
        lines += [f"     {name}: {value}" for name, value in link.facts.items() if value]
    return "\n".join(_printable(line) for line in lines)


def _printable(line: str) -> str:
    """Keep what servers and models sent from steering the reader's terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)


class _Walk:
    """Collects links; `from_*` find where to start, the rest follows the arrows."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._links: dict[tuple[str, str], Link] = {}

    def chain(self) -> list[Link]:
        return sorted(self._links.values(), key=lambda link: KINDS.index(link.kind))

    def from_file(self, path: Path) -> bool:
        if not path.is_file():
            return False
        try:
            digest = sha256(path.read_bytes())
        except OSError as error:
            raise UserError(
                f"the file cannot be read ({error.strerror})",
                where=str(path),
                fix="Make it readable for this user.",
            ) from error
        return self._from_digest(digest, str(path))

    def from_name(self, what: str) -> bool:
        starts: tuple[Callable[[str], bool], ...] = (
            self._from_id,
            self._from_task,
            self._from_git,
            lambda digest: self._from_digest(digest, digest),
        )
        return any(start(what) for start in starts)

    def _from_digest(self, digest: str, name: str) -> bool:
        rows = self._session.scalars(
            select(ArtefactRow).where(ArtefactRow.sha256 == digest).order_by(ArtefactRow.created_at)
        ).all()
        for row in rows:
            self._from_id(row.owner_id)
        if rows:
            kinds = ", ".join(dict.fromkeys(row.kind for row in rows))
            self._add("file", name, {"is": kinds, "sha256": digest})
        return bool(rows)

    def _from_id(self, what: str) -> bool:
        get = self._session.get
        if row := get(CandidateRow, what):
            self._candidate(row)
        elif row := get(EvidenceRow, what) or get(ReviewRow, what) or get(PullRequestRow, what):
            self._candidate_id(row.candidate_id)
        elif row := get(ReplyRow, what):
            self._reply(row)
            self._made_of(row)
        elif row := get(AttemptRow, what):
            self._attempt(row)
            self._answered_by(row)
        elif row := get(PlanRow, what):
            self._plan(row)
        else:
            return False
        return True

    def _from_task(self, what: str) -> bool:
        """A task is named by its id, or by plan/task where several plans have such a task."""
        plan_id, _, task_id = what.rpartition("/")
        query = select(TaskRow).where(TaskRow.task_id == task_id)
        if plan_id:
            query = query.where(TaskRow.plan_id == plan_id)
        task = self._session.scalar(query.order_by(TaskRow.created_at.desc()).limit(1))
        if task is None:
            return False
        self._task(task.plan_id, task.task_id)
        for attempt in self._session.scalars(
            select(AttemptRow)
            .where(AttemptRow.plan_id == task.plan_id, AttemptRow.task_id == task.task_id)
            .order_by(AttemptRow.t_sent)
        ):
            self._attempt(attempt)
            self._answered_by(attempt)
        return True

    def _from_git(self, what: str) -> bool:
        pulls = select(PullRequestRow).where(
            or_(PullRequestRow.branch == what, _is_commit(PullRequestRow.commit, what))
        )
        plans = select(PlanRow).where(_is_commit(PlanRow.commit, what))
        for pull in self._session.scalars(pulls):
            self._candidate_id(pull.candidate_id)
        for plan in self._session.scalars(plans.order_by(PlanRow.created_at)):
            self._plan(plan)
        return bool(self._links)

    def _candidate_id(self, candidate_id: str) -> None:
        self._candidate(self._session.get_one(CandidateRow, candidate_id))

    def _candidate(self, row: CandidateRow) -> None:
        origins = self._session.scalars(
            select(OriginRow)
            .where(OriginRow.candidate_id == row.candidate_id)
            .order_by(OriginRow.created_at)
        ).all()
        parents = dict.fromkeys(parent for origin in origins for parent in origin.parents)
        self._add(
            "candidate",
            row.candidate_id,
            {
                "target": row.target,
                "source": row.source_sha256,
                "launch plan": row.plan_sha256,
                "from": ", ".join(f"{o.reply_id} (round {o.round})" for o in origins)
                or "no reply: a baseline",
                "parents": ", ".join(parents),
            },
        )
        self._judged(row.candidate_id)
        self._reviewed_before(parents, {row.candidate_id})
        for origin in origins:
            if reply := self._session.get(ReplyRow, origin.reply_id):
                self._reply(reply)

    def _judged(self, candidate_id: str) -> None:
        for pull in self._of_candidate(PullRequestRow, candidate_id):
            self._add(
                "pull request",
                pull.pull_request_id,
                {
                    "candidate": candidate_id,
                    "evidence": pull.evidence_id or "",
                    "branch": pull.branch,
                    "commit": pull.commit,
                    "url": pull.url or "",
                    "state": pull.state,
                },
            )
        for evidence in self._of_candidate(EvidenceRow, candidate_id):
            self._add(
                "evidence",
                evidence.evidence_id,
                {
                    "candidate": candidate_id,
                    "status": evidence.status,
                    "tier": "none" if evidence.tier is None else f"T{evidence.tier}",
                    "at": _clock(evidence.created_at),
                },
            )
        self._reviewed(candidate_id)

    def _reviewed_before(self, parents: Iterable[str], seen: set[str]) -> None:
        """Add the reviews of what a kernel was made from: they may have asked for the changes."""
        for parent in parents:
            if parent in seen:
                continue
            seen.add(parent)
            self._reviewed(parent)
            query = select(OriginRow).where(OriginRow.candidate_id == parent)
            for origin in self._session.scalars(query.order_by(OriginRow.created_at)):
                self._reviewed_before(origin.parents, seen)

    def _reviewed(self, candidate_id: str) -> None:
        for review in self._of_candidate(ReviewRow, candidate_id):
            self._add(
                "review",
                review.review_id,
                {
                    "candidate": candidate_id,
                    "reviewer": review.reviewer,
                    "verdict": review.verdict,
                    "cites": ", ".join(review.evidence_ids),
                    "attempt": review.attempt_id or "",
                },
            )
            if review.attempt_id and (attempt := self._attempt_row(review.attempt_id)):
                self._attempt(attempt)

    def _reply(self, row: ReplyRow) -> None:
        facts = {"attempt": row.attempt_id, "content": row.json_sha256}
        self._add("reply", row.reply_id, facts)
        if attempt := self._attempt_row(row.attempt_id):
            self._attempt(attempt)
        # A replayed answer serves a plan that its attempt was not made for.
        self._task(row.plan_id, row.task_id)

    def _attempt(self, row: AttemptRow) -> None:
        self._add(
            "attempt",
            row.attempt_id,
            {
                "task": f"{row.plan_id}/{row.task_id}" if row.plan_id and row.task_id else "",
                "purpose": f"{row.purpose}, as {row.role}, round {row.round}",
                "outcome": f"{row.status} {row.error}".strip(),
                "host": row.host,
                "model": row.model_requested,
                "digest": row.model_digest,
                "prompt": row.prompt_sha256,
                "answer": row.reply_sha256 or "",
                "seed": "" if row.seed is None else str(row.seed),
                "tokens": f"{row.tokens_in} in, {row.tokens_out} out",
                "at": _clock(row.t_sent),
            },
        )
        if row.plan_id and row.task_id:
            self._task(row.plan_id, row.task_id)

    def _task(self, plan_id: str, task_id: str) -> None:
        task = self._session.get(TaskRow, (plan_id, task_id))
        if task is not None:
            facts = {"plan": plan_id, "role": task.role, "content": task.json_sha256}
            self._add("task", f"{plan_id}/{task_id}", facts)
        if plan := self._session.get(PlanRow, plan_id):
            self._plan(plan)

    def _plan(self, row: PlanRow) -> None:
        facts = {
            "target": row.target,
            "planner": row.planner,
            "commit": row.commit,
            "attempt": row.attempt_id or "",
        }
        self._add("plan", row.plan_id, facts)
        if row.attempt_id and (attempt := self._attempt_row(row.attempt_id)):
            self._attempt(attempt)
        self._add("commit", row.commit, {})

    def _answered_by(self, attempt: AttemptRow) -> None:
        query = select(ReplyRow).where(ReplyRow.attempt_id == attempt.attempt_id)
        for reply in self._session.scalars(query.order_by(ReplyRow.created_at)):
            self._reply(reply)
            self._made_of(reply)
        reviews = select(ReviewRow).where(ReviewRow.attempt_id == attempt.attempt_id)
        for review in self._session.scalars(reviews):
            self._candidate_id(review.candidate_id)
        plans = select(PlanRow).where(PlanRow.attempt_id == attempt.attempt_id)
        for plan in self._session.scalars(plans.order_by(PlanRow.created_at)):
            self._plan(plan)

    def _made_of(self, reply: ReplyRow) -> None:
        query = select(OriginRow).where(OriginRow.reply_id == reply.reply_id)
        for origin in self._session.scalars(query):
            self._candidate_id(origin.candidate_id)

    def _attempt_row(self, attempt_id: str) -> AttemptRow | None:
        return self._session.get(AttemptRow, attempt_id)

    def _of_candidate(self, kind: type[_Judgement], candidate_id: str) -> Sequence[_Judgement]:
        query = select(kind).where(kind.candidate_id == candidate_id).order_by(kind.created_at)
        return self._session.scalars(query).all()

    def _add(self, kind: str, id: str, facts: dict[str, str]) -> None:
        self._links[kind, id] = Link(kind, id, facts)


def _is_commit(column: InstrumentedAttribute[str], what: str) -> ColumnElement[bool]:
    if len(what) < SHORTEST_COMMIT:
        return column == what
    return column.startswith(what, autoescape=True)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
