"""Reads from the records what the economy is made from."""

import json
from collections.abc import Sequence
from functools import cache

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from rocm_pipeline.planning.claude.economy.account import Attempt
from rocm_pipeline.planning.claude.economy.paired import Trial
from rocm_pipeline.planning.claude.economy.replay import Count, Exchange
from rocm_pipeline.planning.claude.economy.report import History
from rocm_pipeline.planning.claude.economy.spend import Spend
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.planning.review import Verdict
from rocm_pipeline.records.ledger import ANTHROPIC
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import (
    ArtefactRow,
    AttemptRow,
    EvidenceRow,
    OriginRow,
    PlanRow,
    ReviewRow,
)
from rocm_pipeline.records.store import sha256

TRIAL = "paired trial"
COUNT = "token count"


def read_history(records: Records) -> History:
    """Return everything the economy needs of `records`."""
    rows = records.ledger.attempts()
    return History(
        attempts=tuple(attempt_of(row) for row in rows),
        kernels=_accepted(records),
        transcript=_transcript(records, rows),
        trials=_trials(records),
    )


def attempt_of(row: AttemptRow) -> Attempt:
    """Return a row of the ledger as the account takes it.

    A call whose cost is not known, or not known yet, counts as the most that it can be.
    """
    open_ended = row.usd_is_bound or row.status == Outcome.PENDING.value
    known = row.tokens_in + row.tokens_cache_write + row.tokens_cache_read + row.tokens_out
    usd = max(row.usd, row.usd_at_most) if open_ended else row.usd
    return Attempt(
        targets=tuple(dict.fromkeys(row.targets)),
        provider=row.provider,
        model=row.model_requested,
        purpose=row.purpose,
        outcome=row.status,
        run_id=row.run_id,
        in_batch=row.in_batch,
        spend=Spend(
            calls=1,
            fresh=row.tokens_in,
            cache_write_5m=row.tokens_cache_write - row.tokens_cache_write_1h,
            cache_write_1h=row.tokens_cache_write_1h,
            cache_read=row.tokens_cache_read,
            out=row.tokens_out,
            unknown=max(row.tokens_at_most - known, 0) if open_ended else 0,
            usd=usd,
            usd_at_worst=usd if open_ended else 0,
        ),
    )


def save_trial(records: Records, trial: Trial) -> None:
    records.save_artefact(trial.model_dump_json().encode(), kind=TRIAL, owner_id=trial.run_id)


def save_count(records: Records, model: str, text: str, tokens: int) -> None:
    """Keep how many tokens a model counted, so that a replay needs no key."""
    records.save_artefact(str(tokens).encode(), kind=COUNT, owner_id=_counted(model, text))


def stored_counts(records: Records) -> Count:
    """Return the counts that `save_count` kept until now; None for a text not counted so far."""
    query = select(ArtefactRow).where(ArtefactRow.kind == COUNT).order_by(ArtefactRow.created_at)
    with records.database.reading() as session:
        kept = {row.owner_id: row.sha256 for row in session.scalars(query)}

    @cache
    def count(model: str, text: str) -> int | None:
        digest = kept.get(_counted(model, text))
        return int(records.store.get_text(digest)) if digest else None

    return count


def newest_plan(records: Records, target: str) -> Plan | None:
    query = select(PlanRow).where(PlanRow.target == target).order_by(PlanRow.created_at.desc())
    with records.database.reading() as session:
        row = session.scalars(query).first()
    return Plan.model_validate_json(records.store.get(row.json_sha256)) if row else None


def _counted(model: str, text: str) -> str:
    return f"{model} {sha256(text.encode())}"


def _trials(records: Records) -> tuple[Trial, ...]:
    query = select(ArtefactRow).where(ArtefactRow.kind == TRIAL).order_by(ArtefactRow.created_at)
    with records.database.reading() as session:
        rows = session.scalars(query).all()
    by_run = {row.owner_id: row for row in rows}
    return tuple(
        Trial.model_validate_json(records.store.get(row.sha256)) for row in by_run.values()
    )


class _ReviewKind(BaseModel):
    kind: str


def _accepted(records: Records) -> dict[str, tuple[str, ...]]:
    """Return the kernels that agents wrote and whose newest final review approves, by target.

    The baseline is none of them: its evidence has no speed-up over itself.
    """
    accepted: dict[str, tuple[str, ...]] = {}
    with records.database.reading() as session:
        newest: dict[str, ReviewRow] = {}
        for row in session.scalars(select(ReviewRow).order_by(ReviewRow.created_at)):
            document = records.store.get(row.json_sha256)
            if _ReviewKind.model_validate_json(document).kind == "final":
                newest[row.candidate_id] = row
        for row in newest.values():
            if row.verdict == Verdict.APPROVE.value and _is_by_an_agent(session, row):
                accepted[row.target] = (*accepted.get(row.target, ()), row.candidate_id)
    return accepted


def _is_by_an_agent(session: Session, review: ReviewRow) -> bool:
    origin = select(OriginRow).where(OriginRow.candidate_id == review.candidate_id).limit(1)
    faster = (
        select(EvidenceRow)
        .where(EvidenceRow.candidate_id == review.candidate_id)
        .where(EvidenceRow.evidence_id.in_(review.evidence_ids))
        .where(EvidenceRow.speedup_low.is_not(None))
        .limit(1)
    )
    return session.scalar(origin) is not None and session.scalar(faster) is not None


def _transcript(records: Records, rows: Sequence[AttemptRow]) -> tuple[Exchange, ...]:
    """Return the agents' usable answers with their whole prompts, in the order of the calls."""
    return tuple(
        Exchange(
            target=row.target,
            purpose=row.purpose,
            model=row.model_requested,
            prompt=_prompt(records.store.get_text(row.prompt_sha256)),
            answer=records.store.get_text(row.reply_sha256),
        )
        for row in rows
        if row.provider != ANTHROPIC and row.status == Outcome.OK.value and row.reply_sha256
    )


def _prompt(stored: str) -> str:
    both = json.loads(stored)
    return f"{both['system']}\n\n{both['prompt']}"
