"""What must hold at the moment at which a call is written down, before it is made."""

import time
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from rocm_pipeline.planning.claude import budget, wire
from rocm_pipeline.planning.claude.call import Reason, UnansweredError
from rocm_pipeline.planning.claude.settings import CLAUDE_FILE, ClaudeSettings, OnUnknown
from rocm_pipeline.records.journal import Admission, Intent
from rocm_pipeline.records.ledger import claude_calls
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.schema import AttemptRow


class AnsweredError(Exception):
    """An equal call was answered while this one was prepared; the records have its answer."""


class UnderWayError(UnansweredError):
    """An equal call was made and has not ended; `attempt_id` is its attempt."""

    def __init__(self, row: AttemptRow) -> None:
        place = f"in batch {row.batch_id or '(being made)'}" if row.in_batch else "under way"
        super().__init__(Reason.HELD, f"an equal call is {place}", attempt_id=row.attempt_id)
        self.equal = row.attempt_id
        self.in_batch = row.in_batch


def admission(intent: Intent, settings: ClaudeSettings) -> Admission:
    """Return what `Journal.intent` asks: it raises where no call must be made.

    OVER_BUDGET or HELD (`UnansweredError`, of it `UnderWayError`), or `AnsweredError`.
    """

    def admit(session: Session) -> None:
        equal = session.scalars(
            select(AttemptRow).where(AttemptRow.intent_sha256 == intent.sha256)
        ).all()
        _not_twice(equal, settings)
        now = time.time()
        rows = claude_calls(
            session,
            since=budget.day_start(now),
            run_id=intent.run_id,
            targets=(intent.target, *intent.shared_with),
        )
        if problem := budget.exceeded(settings.budgets, rows, intent, now):
            raise UnansweredError(
                Reason.OVER_BUDGET, f"{problem}; `budgets` in {CLAUDE_FILE} says how much"
            )

    return admit


def _not_twice(equal: Sequence[AttemptRow], settings: ClaudeSettings) -> None:
    if any(Outcome(row.status) in wire.ANSWERED for row in equal):
        raise AnsweredError
    for row in equal:
        if row.status == Outcome.PENDING.value:
            raise UnderWayError(row)
        if row.usd_is_bound and settings.unknown is OnUnknown.HOLD:
            raise UnansweredError(
                Reason.HELD,
                f"an equal call may have cost ${row.usd:.4f} and its answer is lost; "
                f"`unknown: resend` in {CLAUDE_FILE} pays again",
                attempt_id=row.attempt_id,
            )
