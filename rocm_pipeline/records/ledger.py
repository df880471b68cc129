"""What the calls to models cost, added up from the attempts themselves."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import select

from rocm_pipeline.records.database import Database
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.schema import AttemptRow

ANTHROPIC = "anthropic"
"""Provider of Claude's attempts; every other provider is an agent of the fleet."""


@dataclass
class Usage:
    """Sums over attempts, whatever their outcome: a failed call has cost what it has cost."""

    attempts: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter[Outcome])
    tokens_in: int = 0
    tokens_cache_write: int = 0
    tokens_cache_read: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    """From sending a call to its end, summed; calls overlap, so this is no wall time."""
    usd: float = 0.0

    @property
    def tokens(self) -> int:
        """All tokens, cached ones included."""
        return self.tokens_in + self.tokens_cache_write + self.tokens_cache_read + self.tokens_out

    def add(self, row: AttemptRow) -> None:
        self.attempts += 1
        self.outcomes[Outcome(row.status)] += 1
        self.tokens_in += row.tokens_in
        self.tokens_cache_write += row.tokens_cache_write
        self.tokens_cache_read += row.tokens_cache_read
        self.tokens_out += row.tokens_out
        self.seconds += row.t_done - row.t_sent if row.t_done else 0.0
        self.usd += row.usd


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
            query = query.where(AttemptRow.target == target)
        if plan_id is not None:
            query = query.where(AttemptRow.plan_id == plan_id)
        if run_id is not None:
            query = query.where(AttemptRow.run_id == run_id)
        with self._database.reading() as session:
            return list(session.scalars(query))

    def totals(
        self, *, target: str | None = None, plan_id: str | None = None, run_id: str | None = None
    ) -> Totals:
        return add_up(self.attempts(target=target, plan_id=plan_id, run_id=run_id))


def add_up(attempts: Iterable[AttemptRow]) -> Totals:
    totals = Totals(claude=Usage(), agents=Usage(), models={})
    for row in attempts:
        (totals.claude if row.provider == ANTHROPIC else totals.agents).add(row)
        totals.models.setdefault((row.provider, row.model_requested), Usage()).add(row)
    return totals
