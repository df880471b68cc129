"""Questions that may wait, asked in one Message Batch at the lower price."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import anthropic
from sqlalchemy import select
from sqlalchemy.orm import Session

from rocm_pipeline.planning.claude import failures, wire
from rocm_pipeline.planning.claude.admission import AnsweredError
from rocm_pipeline.planning.claude.call import Answer, Call, Form, Reason, UnansweredError
from rocm_pipeline.planning.claude.open_batches import OpenBatches
from rocm_pipeline.planning.claude.settings import ClaudeSettings
from rocm_pipeline.records.journal import Admission, Intent
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow

_log = logging.getLogger(__name__)


_PASSING = (
    *failures.BROKEN,
    anthropic.RateLimitError,
    anthropic.InternalServerError,
)
"""What may be over when one looks again."""


@dataclass(frozen=True)
class Patience:
    """How often a batch is looked at, and for how long; seconds."""

    first_pause: float = 5.0
    longest_pause: float = 300.0
    deadline: float = 25 * 3600.0
    """The server ends a batch within 24 hours."""
    grace: float = 60.0
    """See `OpenBatches`."""


@dataclass(frozen=True)
class _Asked(Generic[Form]):
    call: Call[Form]
    intent: Intent
    attempt_id: str | None
    """The attempt that answers; None where an answer is there already, or none may be sought."""
    unanswered: UnansweredError | None = None


class Batches:
    """Asks several questions at once; `admission` gives what has a say in each attempt."""

    def __init__(
        self,
        client: anthropic.Anthropic,
        records: Records,
        settings: ClaudeSettings,
        *,
        host: str,
        admission: Callable[[Intent], Admission],
        patience: Patience | None = None,
    ) -> None:
        # a batch takes longer than the five minutes that a prefix is kept by default
        self._settings = settings.model_copy(update={"cache_ttl": "1h"})
        self._records = records
        self._prices = settings.price_table()
        self._host = host
        self._admission = admission
        self._patience = patience or Patience()
        self._open = OpenBatches(client, records, settings, grace_seconds=self._patience.grace)

    def ask_all(self, calls: Sequence[Call[Form]]) -> list[Answer[Form] | UnansweredError]:
        """Return what came of each call, in their order.

        What was answered before comes from the records, and what an earlier process sent is waited
        for; only the rest is sent. Where a batch did not end in time, `HELD` is returned and the
        next call of this goes on waiting.
        """
        self._wait_for(row.attempt_id for row in self._open.lost())
        asked: dict[int, _Asked[Form]] = {}
        left = list(range(len(calls)))
        for attempt_no in range(1, self._settings.attempts + 1):
            bodies: dict[str, Any] = {}
            for index in left:
                asked[index] = self._prepare(calls[index], attempt_no, bodies)
            if bodies:
                self._open.submit(bodies)
            self._wait_for(one.attempt_id for one in asked.values() if one.attempt_id)
            left = [index for index in left if self._never_arrived(asked[index])]
            if not left:
                break
        return [self._outcome(asked[index]) for index in range(len(calls))]

    def settle(self) -> None:
        """Write down what ended meanwhile, without waiting for anything."""
        self._look()

    def _prepare(self, call: Call[Form], attempt_no: int, bodies: dict[str, Any]) -> _Asked[Form]:
        """Find the attempt that answers a call; a new one's request is added to `bodies`."""
        body = wire.params(call, self._settings)
        intent = wire.intent(
            call,
            body,
            self._prices,
            host=self._host,
            prompt_tokens=wire.prompt_at_most(body),
            attempt_no=attempt_no,
            in_batch=True,
        )
        try:
            attempt_id = self._records.journal.intent(intent, self._admit(intent))
        except AnsweredError:
            return _Asked(call, intent, None)
        except _EqualIsOpenError as equal:
            return _Asked(call, intent, equal.attempt_id)
        except UnansweredError as unanswered:
            return _Asked(call, intent, None, unanswered)
        bodies[attempt_id] = body
        return _Asked(call, intent, attempt_id)

    def _admit(self, intent: Intent) -> Admission:
        admitted = self._admission(intent)

        def admit(session: Session) -> None:
            equal = session.scalar(
                select(AttemptRow.attempt_id)
                .where(AttemptRow.intent_sha256 == intent.sha256)
                .where(AttemptRow.status == Outcome.PENDING.value)
                .where(AttemptRow.in_batch)
            )
            if equal is not None:
                raise _EqualIsOpenError(equal)
            admitted(session)

        return admit

    def _wait_for(self, attempt_ids: Iterable[str]) -> None:
        """Return when none of the attempts is open any more, or patience has ended."""
        awaited = set(attempt_ids)
        pause, until = self._patience.first_pause, time.monotonic() + self._patience.deadline
        while self._are_open(awaited) and self._look() and self._are_open(awaited):
            if time.monotonic() + pause > until:
                return
            time.sleep(pause)
            pause = min(1.5 * pause, self._patience.longest_pause)

    def _are_open(self, attempt_ids: set[str]) -> bool:
        return any(row.attempt_id in attempt_ids for row in self._open.rows())

    def _look(self) -> bool:
        """Collect what has ended. False: the server does not let us look, so waiting is no use."""
        try:
            self._open.collect()
        except _PASSING as error:
            _log.warning("batches cannot be looked at now: %s", error)
        except anthropic.APIStatusError as error:
            _log.error("batches cannot be looked at: %s", error)
            return False
        return True

    def _never_arrived(self, asked: _Asked[Form]) -> bool:
        row = self._row(asked)
        return row is not None and row.status == Outcome.UNREACHABLE.value

    def _row(self, asked: _Asked[Form]) -> AttemptRow | None:
        if asked.attempt_id is None:
            return None
        with self._records.database.reading() as session:
            return session.get_one(AttemptRow, asked.attempt_id)

    def _outcome(self, asked: _Asked[Form]) -> Answer[Form] | UnansweredError:
        if asked.unanswered is not None:
            return asked.unanswered
        replay = self._records.journal.replay(asked.intent, wire.ANSWERED)
        if replay is not None:
            try:
                return wire.replayed(asked.call, replay)
            except UnansweredError as unanswered:
                return unanswered
        row = self._row(asked)
        if row is None or row.status == Outcome.PENDING.value:
            reason, detail = Reason.HELD, "its batch has not ended yet, or cannot be looked at"
        else:
            reason, detail = failures.reason(Outcome(row.status), row.http_status), row.error
        return UnansweredError(reason, detail, attempt_id=asked.attempt_id)


class _EqualIsOpenError(Exception):
    """An equal call is in a batch, or just being put in one."""

    def __init__(self, attempt_id: str) -> None:
        super().__init__(attempt_id)
        self.attempt_id = attempt_id
