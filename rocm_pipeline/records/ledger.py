"""What the calls to models cost, added up from the attempts themselves."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, String, cast, or_, select
from sqlalchemy.orm import Session

from rocm_pipeline.records.database import Database
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.schema import AttemptRow

ANTHROPIC = "anthropic"
"""Provider of Claude's attempts; every other provider is an agent of the fleet."""


@dataclass(frozen=True)
class Part:
    """One of the equal parts in which the targets of a call bear it."""

    number: int
    parts: int

    @classmethod
    def of(cls, row: AttemptRow, target: str | None) -> "Part":
        """Return the part of `target`, or the whole call when None."""
        return cls(0, 1) if target is None else cls(row.targets.index(target), len(row.targets))

    def whole(self, count: int) -> int:
        """Return the part of a count; the first parts are one larger where it does not divide."""
        return count // self.parts + (self.number < count % self.parts)


@dataclass
class Usage:
    """Sums over attempts, whatever their outcome: a failed call has cost what it has cost."""

    attempts: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter[Outcome])
    tokens_in: int = 0
    tokens_cache_write: int = 0
    tokens_cache_write_1h: int = 0
    """Those of `tokens_cache_write` that are kept for an hour."""
    tokens_cache_read: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    """From sending a call to its end, summed; calls overlap, so this is no wall time."""
    usd: float = 0.0
    usd_of_bounds: float = 0.0
    """The part of `usd` that is only the most that calls of unknown cost can have cost."""

    @property
    def tokens(self) -> int:
        """All tokens, cached ones included."""
        return self.tokens_in + self.tokens_cache_write + self.tokens_cache_read + self.tokens_out

    def add(self, row: AttemptRow, target: str | None = None) -> None:
        """Add a call, or the part of it that `target` bears; the parts of all are the whole."""
        part = Part.of(row, target)
        self.attempts += 1
        self.outcomes[Outcome(row.status)] += 1
        self.tokens_in += part.whole(row.tokens_in)
        self.tokens_cache_write += part.whole(row.tokens_cache_write)
        self.tokens_cache_write_1h += part.whole(row.tokens_cache_write_1h)
        self.tokens_cache_read += part.whole(row.tokens_cache_read)
        self.tokens_out += part.whole(row.tokens_out)
        self.seconds += row.t_done - row.t_sent if row.t_done else 0.0
        self.usd += row.usd / part.parts
        self.usd_of_bounds += row.usd / part.parts if row.usd_is_bound else 0.0


@dataclass(frozen=True)
class Totals:
    """Claude and the agents apart; `models` holds one sum per (provider, model)."""

    claude: Usage
    agents: Usage
    models: dict[tuple[str, str], Usage]


class Ledger:
    """Totals over the attempts of everything, or of one target, plan or run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def attempts(
        self, *, target: str | None = None, plan_id: str | None = None, run_id: str | None = None
    ) -> list[AttemptRow]:
        """Return the matching attempts in the order in which they were sent."""
        query = select(AttemptRow).order_by(AttemptRow.t_sent, AttemptRow.attempt_id)
        if target is not None:
            query = query.where(borne_by(target))
        if plan_id is not None:
            query = query.where(AttemptRow.plan_id == plan_id)
        if run_id is not None:
            query = query.where(AttemptRow.run_id == run_id)
        with self._database.reading() as session:
            return list(session.scalars(query))

    def totals(
        self, *, target: str | None = None, plan_id: str | None = None, run_id: str | None = None
    ) -> Totals:
        """Return the sums; of a call for several targets, those of one target hold its part."""
        return add_up(self.attempts(target=target, plan_id=plan_id, run_id=run_id), target)


def borne_by(target: str) -> ColumnElement[bool]:
    """Say of an attempt whether it was made for `target`, alone or with others."""
    named = json.dumps(target)
    shared = cast(AttemptRow.shared_with, String).contains(named, autoescape=True)
    return or_(AttemptRow.target == target, shared)


def claude_calls(
    session: Session, *, since: float, run_id: str | None, targets: Iterable[str]
) -> list[AttemptRow]:
    """Return Claude's attempts since a time, of a run, or for one of the targets."""
    wanted = [AttemptRow.t_sent >= since, *(borne_by(target) for target in targets)]
    if run_id is not None:
        wanted.append(AttemptRow.run_id == run_id)
    query = select(AttemptRow).where(AttemptRow.provider == ANTHROPIC).where(or_(*wanted))
    return list(session.scalars(query))


def add_up(attempts: Iterable[AttemptRow], target: str | None = None) -> Totals:
    """Add up attempts, or the parts of them that `target` bears."""
    totals = Totals(claude=Usage(), agents=Usage(), models={})
    for row in attempts:
        (totals.claude if row.provider == ANTHROPIC else totals.agents).add(row, target)
        totals.models.setdefault((row.provider, row.model_requested), Usage()).add(row, target)
    return totals
