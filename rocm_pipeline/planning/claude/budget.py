"""Whether a call may be made: what has been spent, and what the call can cost at the worst."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from rocm_pipeline.planning.claude.settings import Budgets, Limit
from rocm_pipeline.records.journal import Intent
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.schema import AttemptRow


@dataclass(frozen=True)
class Spent:
    """Money and tokens of every kind; fractions of tokens where targets share a call."""

    usd: float = 0.0
    tokens: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.usd + other.usd, self.tokens + other.tokens)

    def part(self, parts: int) -> "Spent":
        return Spent(self.usd / parts, self.tokens / parts)


def exceeded(budgets: Budgets, rows: Iterable[AttemptRow], intent: Intent, at: float) -> str | None:
    """Return, in words, the first budget that the call would pass at its worst; None: none.

    `rows` are Claude's attempts: at least those of today, of the intent's run and of its targets.
    """
    known = list(rows)
    worst = Spent(intent.usd_at_most, intent.tokens_at_most)
    today = day_start(at)
    runs = [booked(row) for row in known if row.run_id == intent.run_id is not None]
    days = [booked(row) for row in known if row.t_sent >= today]
    checks = [("the run", budgets.run, runs, worst), ("the day", budgets.day, days, worst)]
    targets = (intent.target, *intent.shared_with)
    for name in targets:
        own = [booked(row).part(len(row.targets)) for row in known if name in row.targets]
        checks.append((f"target {name}", budgets.target, own, worst.part(len(targets))))
    for of_what, limit, spent, more in checks:
        if problem := _over(limit, sum(spent, Spent()), more):
            return f"the budget of {of_what}: {problem}"
    return None


def booked(row: AttemptRow) -> Spent:
    """Return what a call cost, or can cost at the worst while nobody knows."""
    tokens = row.tokens_in + row.tokens_cache_write + row.tokens_cache_read + row.tokens_out
    if row.status == Outcome.PENDING.value:
        return Spent(row.usd_at_most, row.tokens_at_most)
    if row.usd_is_bound:
        return Spent(row.usd, max(tokens, row.tokens_at_most))
    return Spent(row.usd, tokens)


def day_start(at: float) -> float:
    """Return when the day of `at` began (seconds, epoch; days are those of UTC)."""
    now = datetime.fromtimestamp(at, timezone.utc)
    return now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def _over(limit: Limit, spent: Spent, more: Spent) -> str | None:
    if limit.usd is not None and spent.usd + more.usd > limit.usd:
        return (
            f"${spent.usd:.4f} are spent or promised, this call can cost ${more.usd:.4f}, "
            f"and ${limit.usd:.4f} are allowed"
        )
    if limit.tokens is not None and spent.tokens + more.tokens > limit.tokens:
        return (
            f"{spent.tokens:.0f} tokens are spent or promised, this call can take "
            f"{more.tokens:.0f}, and {limit.tokens} are allowed"
        )
    return None
