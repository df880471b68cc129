"""The tables. Rows are dataclasses; times are seconds since the epoch, UTC.

Large texts are not here: a `*_sha256` column names a blob in the Store.
"""

import time
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Float, ForeignKey, Index, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from rocm_pipeline.records.outcome import Outcome

SCHEMA_VERSION = 4
"""2: what Claude's calls cost and how they ended, in more detail. 3: what the processes of a fleet
share (`fleet_tables.py`). 4: which call made a plan. See `migrations.py`."""


class _JsonTuple(TypeDecorator[tuple[Any, ...]]):
    """A tuple of ids or numbers, kept as a JSON list."""

    impl = JSON
    cache_ok = True

    def process_result_value(self, value: list[Any] | None, dialect: Dialect) -> tuple[Any, ...]:  # noqa: ARG002
        return tuple(value or ())


class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """Every table."""

    # Nanoseconds and seeds outgrow the 32 bits that PostgreSQL gives an integer.
    type_annotation_map = {  # noqa: RUF012
        tuple[str, ...]: _JsonTuple,
        tuple[float, ...]: _JsonTuple,
        float: Float,
        int: BigInteger,
    }


class SchemaVersion(Base):
    """One row: which version of this page made the database."""

    __tablename__ = "schema_version"

    version: Mapped[int] = mapped_column(primary_key=True)


class PlanRow(Base):
    """A plan as JSON, with the commit it was made from."""

    __tablename__ = "plans"

    plan_id: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(index=True)
    commit: Mapped[str] = mapped_column("commit_sha", index=True)
    planner: Mapped[str]
    json_sha256: Mapped[str]
    attempt_id: Mapped[str | None] = mapped_column(default=None)
    """The call whose answer it is; None when no model was asked, as for the rule-based planner. A
    plan that a review changed keeps that of the plan before it."""
    created_at: Mapped[float] = mapped_column(default_factory=time.time)


class TaskRow(Base):
    """A task; its id is unique within its plan only."""

    __tablename__ = "tasks"

    plan_id: Mapped[str] = mapped_column(ForeignKey(PlanRow.plan_id), primary_key=True)
    task_id: Mapped[str] = mapped_column(primary_key=True, index=True)
    target: Mapped[str] = mapped_column(index=True)
    role: Mapped[str]
    json_sha256: Mapped[str]
    created_at: Mapped[float] = mapped_column(default_factory=time.time)


class AttemptRow(Base):
    """The ledger: one HTTP call to a model. Written before the call, completed after it."""

    __tablename__ = "attempts"
    __table_args__ = (Index("attempts_by_intent", "intent_sha256", "status"),)

    attempt_id: Mapped[str] = mapped_column(primary_key=True)
    intent_sha256: Mapped[str]
    """Hash of all that shapes the answer; equal intents may share one answer."""
    owner: Mapped[str]
    """The process that made the call; see `records/owner.py`."""
    give_up_at: Mapped[float]
    """When that process will have given up at the latest."""

    target: Mapped[str] = mapped_column(index=True)
    shared_with: Mapped[tuple[str, ...]]
    """Further targets that the call was made for; all of them bear it in equal parts."""
    plan_id: Mapped[str | None] = mapped_column(index=True)
    task_id: Mapped[str | None] = mapped_column(index=True)
    run_id: Mapped[str | None] = mapped_column(index=True)
    """Whose budget it spent. Dagster's runs of a command or a night carry it as `rocm/run`."""
    purpose: Mapped[str]
    """plan, code, test, doc, review, repair, ..."""
    role: Mapped[str]
    round: Mapped[int]
    attempt_no: Mapped[int]
    """1 for the first call of a request, 2 for its first retry, ..."""

    provider: Mapped[str]
    host: Mapped[str]
    model_requested: Mapped[str]
    model_digest: Mapped[str]
    seed: Mapped[int | None]
    options_sha256: Mapped[str]
    prompt_sha256: Mapped[str] = mapped_column(index=True)

    in_batch: Mapped[bool]
    """A request in a batch: found again by its attempt id, which is its `custom_id` there."""
    usd_at_most: Mapped[float]
    """What the call can cost at the worst; counted as spent until its cost is known."""
    tokens_at_most: Mapped[int]
    price_version: Mapped[str]
    """The row of the price table that holds for the call; empty where nothing is paid."""

    t_queued: Mapped[float]
    t_sent: Mapped[float]
    hedge_of: Mapped[str | None] = mapped_column(default=None)
    """The attempt that this one is a second copy of, on another host; the first answer counts."""
    t_first: Mapped[float | None] = mapped_column(default=None)
    t_done: Mapped[float | None] = mapped_column(default=None)
    status: Mapped[str] = mapped_column(String, index=True, default=Outcome.PENDING.value)
    error: Mapped[str] = mapped_column(default="")
    model_returned: Mapped[str | None] = mapped_column(default=None)
    reply_sha256: Mapped[str | None] = mapped_column(index=True, default=None)
    tokens_in: Mapped[int] = mapped_column(default=0)
    """Fresh prompt tokens; cached ones are counted apart."""
    tokens_cache_write: Mapped[int] = mapped_column(default=0)
    tokens_cache_write_1h: Mapped[int] = mapped_column(default=0)
    """Those of `tokens_cache_write` that are kept for an hour, which costs more."""
    tokens_cache_read: Mapped[int] = mapped_column(default=0)
    tokens_out: Mapped[int] = mapped_column(default=0)
    tokens_thinking: Mapped[int] = mapped_column(default=0)
    """Those of `tokens_out` that were thought."""
    load_ns: Mapped[int] = mapped_column(default=0)
    prompt_ns: Mapped[int] = mapped_column(default=0)
    eval_ns: Mapped[int] = mapped_column(default=0)
    total_ns: Mapped[int] = mapped_column(default=0)
    request_id: Mapped[str | None] = mapped_column(default=None)
    batch_id: Mapped[str | None] = mapped_column(index=True, default=None)
    http_status: Mapped[int | None] = mapped_column(default=None)
    stop_reason: Mapped[str | None] = mapped_column(default=None)
    stop_category: Mapped[str | None] = mapped_column(default=None)
    """Which policy a refusal names."""
    service_tier: Mapped[str | None] = mapped_column(default=None)
    usd: Mapped[float] = mapped_column(default=0.0)
    usd_is_bound: Mapped[bool] = mapped_column(default=False)
    """The cost never became known: `usd` is the most it can be, and the tokens are incomplete."""

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target, *self.shared_with)


class ReplyRow(Base):
    """A parsed answer, as JSON."""

    __tablename__ = "replies"

    reply_id: Mapped[str] = mapped_column(primary_key=True)
    attempt_id: Mapped[str] = mapped_column(index=True)
    plan_id: Mapped[str] = mapped_column(index=True)
    task_id: Mapped[str] = mapped_column(index=True)
    target: Mapped[str]
    json_sha256: Mapped[str]
    created_at: Mapped[float] = mapped_column(default_factory=time.time)


class CandidateRow(Base):
    """A kernel: source and launch plan. Its id is a hash of them, so one row per kernel."""

    __tablename__ = "candidates"

    candidate_id: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(index=True)
    source_sha256: Mapped[str]
    plan_sha256: Mapped[str]
    """Hash of the launch plan."""
    created_at: Mapped[float] = mapped_column(default_factory=time.time)


class OriginRow(Base):
    """Where a kernel came from. Two agents may write the same kernel: then it has two origins."""

    __tablename__ = "origins"

    candidate_id: Mapped[str] = mapped_column(
        ForeignKey(CandidateRow.candidate_id), primary_key=True
    )
    reply_id: Mapped[str] = mapped_column(
        ForeignKey(ReplyRow.reply_id), primary_key=True, index=True
    )
    task_id: Mapped[str]
    parents: Mapped[tuple[str, ...]]
    round: Mapped[int]
    created_at: Mapped[float] = mapped_column(default_factory=time.time)


class EvidenceRow(Base):
    """What the harness found about a candidate; `identity` names the experiment."""

    __tablename__ = "evidence"

    evidence_id: Mapped[str] = mapped_column(primary_key=True)
    identity: Mapped[str] = mapped_column(index=True)
    candidate_id: Mapped[str] = mapped_column(ForeignKey(CandidateRow.candidate_id), index=True)
    target: Mapped[str] = mapped_column(index=True)
    tier: Mapped[int | None]
    status: Mapped[str]
    speedup_low: Mapped[float | None]
    """Lower end of the speed-up range that candidates are ranked by; None without one."""
    json_sha256: Mapped[str]
    created_at: Mapped[float] = mapped_column(default_factory=time.time)


class ReviewRow(Base):
    """A verdict on a candidate, citing evidence."""

    __tablename__ = "reviews"

    review_id: Mapped[str] = mapped_column(primary_key=True)
    candidate_id: Mapped[str] = mapped_column(ForeignKey(CandidateRow.candidate_id), index=True)
    target: Mapped[str] = mapped_column(index=True)
    reviewer: Mapped[str]
    verdict: Mapped[str]
    evidence_ids: Mapped[tuple[str, ...]]
    attempt_id: Mapped[str | None]
    """None when no model was asked, as for the rule-based reviewer."""
    json_sha256: Mapped[str]
    created_at: Mapped[float] = mapped_column(default_factory=time.time)


class PullRequestRow(Base):
    """A branch that carries a candidate, and its pull request once there is one."""

    __tablename__ = "pull_requests"

    pull_request_id: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(index=True)
    candidate_id: Mapped[str] = mapped_column(ForeignKey(CandidateRow.candidate_id), index=True)
    evidence_id: Mapped[str | None]
    branch: Mapped[str] = mapped_column(index=True)
    commit: Mapped[str] = mapped_column("commit_sha", index=True)
    url: Mapped[str | None]
    state: Mapped[str]
    created_at: Mapped[float] = mapped_column(default_factory=time.time)


class HintRow(Base):
    """The one hint of a plan: the task that claimed it, and what came of asking."""

    __tablename__ = "hints"

    plan_id: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(index=True)
    task_id: Mapped[str]
    is_answered: Mapped[bool] = mapped_column(default=False)
    text_sha256: Mapped[str | None] = mapped_column(default=None)
    """None while nobody answered, and for good where no hint came."""
    attempt_id: Mapped[str | None] = mapped_column(default=None)
    created_at: Mapped[float] = mapped_column(default_factory=time.time)


class ArtefactRow(Base):
    """Which record a file's bytes belong to, so that a file alone leads to who made it."""

    __tablename__ = "artefacts"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    """What the bytes are: plan, prompt, answer, reply, source, launch plan, evidence, ..."""
    owner_id: Mapped[str] = mapped_column(primary_key=True)
    """Id of a plan, attempt, reply, candidate, evidence, review or pull request."""
    created_at: Mapped[float] = mapped_column(default_factory=time.time)
