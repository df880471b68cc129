"""Write-ahead journal of calls to models: nothing received is lost, nothing is paid twice.

Order of events, each durable before the next: intent row, call, received answer in the inbox,
answer in the Store, outcome row. Where a process dies in between, `recover` finds what it left.
"""

import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict
from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from rocm_pipeline.records import owner
from rocm_pipeline.records.database import Database
from rocm_pipeline.records.files import Files
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.prompt import prompt_json, prompt_sha256
from rocm_pipeline.records.schema import ArtefactRow, AttemptRow
from rocm_pipeline.records.store import Store, canonical_json, sha256
from rocm_pipeline.redaction.process import clean_text

Admission = Callable[[Session], None]
"""Looks at the attempts so far and raises when another must not be made."""
CleanText = Annotated[str, AfterValidator(clean_text)]
"""Redacted on its way in, so that a new answer is what a replay of it will be."""


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A call about to be made. The first block shapes the answer, the rest says why it is made."""

    provider: str
    model: str
    model_digest: str
    system: str
    prompt: str
    seed: int | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    """Everything else that shapes the answer: sampling, limits, answer format."""

    host: str
    target: str
    purpose: str
    role: str
    plan_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    round: int = 0
    attempt_no: int = 1
    hedge_of: str | None = None
    """The attempt that this is a second copy of."""
    t_queued: float | None = None
    shared_with: tuple[str, ...] = ()
    """Further targets that the call is made for, beside `target`."""
    in_batch: bool = False
    usd_at_most: float = 0.0
    tokens_at_most: int = 0
    price_version: str = ""
    give_up_seconds: float = 3600.0
    """After this long without an outcome the call counts as unknown, whoever made it."""

    @property
    def prompt_json(self) -> str:
        return prompt_json(self.system, self.prompt)

    @property
    def options_json(self) -> str:
        return canonical_json(self.options)

    @property
    def sha256(self) -> str:
        """Same model, prompt, options and seed: the same call, whichever host would answer."""
        parts = [self.provider, self.model, self.model_digest, self.seed]
        parts += [prompt_sha256(self.system, self.prompt), sha256(self.options_json.encode())]
        return sha256(canonical_json(parts).encode())


class Received(BaseModel):
    """How a call ended and what it cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    text: CleanText | None = None
    error: CleanText = ""
    model_returned: str | None = None
    request_id: str | None = None
    t_first: float | None = None
    t_done: float
    tokens_in: int = 0
    tokens_cache_write: int = 0
    tokens_cache_write_1h: int = 0
    tokens_cache_read: int = 0
    tokens_out: int = 0
    tokens_thinking: int = 0
    load_ns: int = 0
    prompt_ns: int = 0
    eval_ns: int = 0
    total_ns: int = 0
    http_status: int | None = None
    stop_reason: str | None = None
    stop_category: str | None = None
    service_tier: str | None = None
    usd: float = 0.0
    usd_is_bound: bool = False


@dataclass(frozen=True)
class Replay:
    """A stored answer to an equal call."""

    attempt: AttemptRow
    text: str


@dataclass(frozen=True)
class Written:
    """How long a whole answer was, and what had been asked."""

    target: str
    purpose: str
    task_id: str | None
    tokens_out: int


@dataclass(frozen=True)
class Recovery:
    """What `recover` found: answers saved from the inbox, and calls of unknown outcome."""

    completed: tuple[str, ...]
    unknown: tuple[str, ...]


class Journal:
    """Intents before calls, outcomes after them; safe for threads and processes."""

    def __init__(self, database: Database, store: Store, inbox: Files) -> None:
        self._database = database
        self._store = store
        self._inbox = inbox

    def intent(self, intent: Intent, admit: Admission | None = None) -> str:
        """Write the intent to the disk and return the attempt's id. Then make the call.

        `admit` sees the attempts as no other process can change them until the intent is written;
        what it raises is raised, and nothing is written.
        """
        attempt_id = f"a-{uuid.uuid4().hex[:20]}"
        prompt = self._store.put_text(intent.prompt_json)
        now = time.time()
        row = AttemptRow(
            attempt_id=attempt_id,
            intent_sha256=intent.sha256,
            owner=owner.this_process(),
            give_up_at=now + intent.give_up_seconds,
            target=intent.target,
            shared_with=intent.shared_with,
            plan_id=intent.plan_id,
            task_id=intent.task_id,
            run_id=intent.run_id,
            purpose=intent.purpose,
            role=intent.role,
            round=intent.round,
            attempt_no=intent.attempt_no,
            hedge_of=intent.hedge_of,
            provider=intent.provider,
            host=intent.host,
            model_requested=intent.model,
            model_digest=intent.model_digest,
            seed=intent.seed,
            options_sha256=self._store.put_text(intent.options_json),
            prompt_sha256=prompt,
            in_batch=intent.in_batch,
            usd_at_most=intent.usd_at_most,
            tokens_at_most=intent.tokens_at_most,
            price_version=intent.price_version,
            t_queued=intent.t_queued or now,
            t_sent=now,
        )
        artefact = ArtefactRow(sha256=prompt, kind="prompt", owner_id=attempt_id)
        if admit is None:
            self._database.add_once(row, artefact)
        else:
            with self._database.writing_alone() as session:
                admit(session)
                session.add_all([row, artefact])
        return attempt_id

    def put_in_batch(self, attempt_ids: Sequence[str], batch_id: str) -> None:
        """Note the batch that the server put these attempts in."""
        with self._database.writing() as session:
            session.execute(
                update(AttemptRow)
                .where(AttemptRow.attempt_id.in_(attempt_ids))
                .values(batch_id=batch_id)
            )

    def in_batches(self) -> list[AttemptRow]:
        """Return the attempts in batches whose outcome is still to come, in the order sent."""
        query = (
            select(AttemptRow)
            .where(AttemptRow.status == Outcome.PENDING.value)
            .where(AttemptRow.in_batch)
            .order_by(AttemptRow.t_sent, AttemptRow.attempt_id)
        )
        with self._database.reading() as session:
            return list(session.scalars(query))

    def finish(self, attempt_id: str, received: Received) -> None:
        """Store how the call ended. Also right for a call meanwhile counted as unknown."""
        self._inbox.write(_inbox_name(attempt_id), received.model_dump_json().encode())
        self._settle(attempt_id, received)

    def replay(self, intent: Intent, of: Sequence[Outcome] = (Outcome.OK,)) -> Replay | None:
        """Return the stored answer to an equal call, or None.

        `of`: how that call may have ended, best first; usually only an answer that ended well is
        given again.
        """
        rank = case({outcome.value: n for n, outcome in enumerate(of)}, value=AttemptRow.status)
        with self._database.reading() as session:
            row = session.scalar(
                select(AttemptRow)
                .where(AttemptRow.intent_sha256 == intent.sha256)
                .where(AttemptRow.status.in_([outcome.value for outcome in of]))
                .order_by(rank, AttemptRow.t_done)
                .limit(1)
            )
        if row is None or row.reply_sha256 is None:
            return None
        return Replay(row, self._store.get_text(row.reply_sha256))

    def lengths(self, provider: str, role: str, most: int) -> list[Written]:
        """Return how long the whole answers of a role were, the newest first."""
        row = AttemptRow
        query = (
            select(row.target, row.purpose, row.task_id, row.tokens_out)
            .where(row.status == Outcome.OK.value)
            .where(row.provider == provider, row.role == role, row.tokens_out > 0)
            .order_by(row.t_done.desc(), row.attempt_id)
            .limit(most)
        )
        with self._database.reading() as session:
            return [Written(*found) for found in session.execute(query)]

    def unknown(self, intent: Intent) -> tuple[AttemptRow, ...]:
        """Return the equal calls of unknown outcome; a paid call may need care before a resend."""
        with self._database.reading() as session:
            rows = session.scalars(
                select(AttemptRow)
                .where(AttemptRow.intent_sha256 == intent.sha256)
                .where(AttemptRow.status == Outcome.UNKNOWN.value)
            )
            return tuple(rows)

    def recover(self) -> Recovery:
        """Settle the calls whose process ended, or is long past its time; done at every opening.

        A process of another machine is given until its own deadline. Calls in a batch go on without
        us, and are looked up instead (`in_batches`).
        """
        completed: list[str] = []
        unknown: list[str] = []
        for row in self._abandoned():
            received = self._in_inbox(row.attempt_id)
            if received is not None:
                self._settle(row.attempt_id, received)
                completed.append(row.attempt_id)
            elif not row.in_batch and self._mark_unknown(row.attempt_id):
                unknown.append(row.attempt_id)
        return Recovery(tuple(completed), tuple(unknown))

    def _settle(self, attempt_id: str, received: Received) -> None:
        reply = None if received.text is None else self._store.put_text(received.text)
        with self._database.writing() as session:
            row = session.get_one(AttemptRow, attempt_id)
            for name, value in received.model_dump(exclude={"outcome", "text"}).items():
                setattr(row, name, value)
            row.status = received.outcome.value
            row.reply_sha256 = reply
            if reply is not None:
                session.merge(ArtefactRow(sha256=reply, kind="answer", owner_id=attempt_id))
        self._inbox.remove(_inbox_name(attempt_id))

    def _abandoned(self) -> list[AttemptRow]:
        with self._database.reading() as session:
            pending = session.scalars(
                select(AttemptRow).where(AttemptRow.status == Outcome.PENDING.value)
            ).all()
        now = time.time()
        return [
            row
            for row in pending
            if owner.is_gone(row.owner) or (row.give_up_at < now and not row.in_batch)
        ]

    def _in_inbox(self, attempt_id: str) -> Received | None:
        try:
            return Received(**json.loads(self._inbox.read(_inbox_name(attempt_id))))
        except FileNotFoundError:
            return None

    def _mark_unknown(self, attempt_id: str) -> bool:
        with self._database.writing() as session:
            row = session.get_one(AttemptRow, attempt_id)
            # Another process may have recovered it in between.
            if row.status != Outcome.PENDING.value:
                return False
            row.status = Outcome.UNKNOWN.value
            row.usd, row.usd_is_bound = row.usd_at_most, row.usd_at_most > 0
            row.error = "the process that made the call ended before its outcome was written"
            return True


def _inbox_name(attempt_id: str) -> str:
    return f"{attempt_id}.json"
