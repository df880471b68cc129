"""The economy: what was spent, per accepted kernel and in all, beside the baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.planning.claude.call import Purpose
from rocm_pipeline.planning.claude.economy.account import (
    Account,
    Attempt,
    TargetAccount,
    cached_after_first,
    make_account,
)
from rocm_pipeline.planning.claude.economy.baselines import Baseline
from rocm_pipeline.planning.claude.economy.intervals import Figure, bootstrap
from rocm_pipeline.planning.claude.economy.modelled import Price, modelled
from rocm_pipeline.planning.claude.economy.paired import Trial, paired
from rocm_pipeline.planning.claude.economy.replay import Count, Exchange, replayed
from rocm_pipeline.planning.claude.economy.spend import NOTHING, Quantity, Spend
from rocm_pipeline.records.ledger import ANTHROPIC


@dataclass(frozen=True)
class History:
    """What the records hold that the economy is made from."""

    attempts: tuple[Attempt, ...] = ()
    kernels: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Ids of the accepted kernels, by target."""
    transcript: tuple[Exchange, ...] = ()
    """Usable answers of the agents in the order of the calls."""
    trials: tuple[Trial, ...] = ()
    """Of paired runs, in order of time."""


class PerKernel(BaseModel):
    """Claude's part per accepted kernel; the intervals are over the targets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd: Figure
    tokens: Figure
    calls: Figure
    review_calls: float
    agents: dict[str, float]
    """Tokens by the agents' models, each by its own count."""


class Economy(BaseModel):
    """Everything `rocm-pipeline economy` shows. `nothing` says why there is nothing to count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: Account
    accepted: int
    per_kernel: PerKernel | None
    baselines: tuple[Baseline, ...]
    plans_cached: float | None = None
    """Share of the planner's prompts read from the cache, from the second target on."""
    nothing: str = ""


def make_economy(
    history: History, *, best: str, cheapest: str, price: Price, count: Count
) -> Economy:
    """Return the economy of a history.

    `best` and `cheapest` are the models of the baselines, `price` and `count` are what they cost
    and how they count text; a text that `count` does not know makes no figure.
    """
    account = make_account(history.attempts, history.kernels)
    if not account.claude.calls and not account.agents.calls:
        return Economy(
            account=account,
            accepted=account.accepted,
            per_kernel=None,
            baselines=(),
            nothing="Nothing to count yet: no model was called in this home (`rocm-pipeline run`).",
        )
    return Economy(
        account=account,
        accepted=account.accepted,
        per_kernel=_per_kernel(account),
        plans_cached=cached_after_first(history.attempts, Purpose.PLAN),
        baselines=(
            *paired(account, history.trials, _spent(history.attempts), best, cheapest),
            *replayed(account, history.transcript, best, cheapest, count, price),
            *modelled(account, best, cheapest, price),
        ),
    )


def _spent(attempts: Sequence[Attempt]) -> dict[str, Spend]:
    """Return what the experiments cost, by run id."""
    spent: dict[str, Spend] = {}
    for attempt in attempts:
        if attempt.is_experiment and attempt.run_id is not None:
            spent[attempt.run_id] = spent.get(attempt.run_id, NOTHING) + attempt.spend
    return spent


def _per_kernel(account: Account) -> PerKernel | None:
    usd, tokens, calls = (_figure(account.targets, quantity) for quantity in Quantity)
    reviews = account.calls_per_kernel(Purpose.REVIEW)
    if usd is None or tokens is None or calls is None or reviews is None:
        return None
    agents = [model for model in account.models if model.provider != ANTHROPIC]
    return PerKernel(
        usd=usd,
        tokens=tokens,
        calls=calls,
        review_calls=reviews,
        agents={model.model: model.spend.tokens / account.accepted for model in agents},
    )


def _figure(targets: Sequence[TargetAccount], quantity: Quantity) -> Figure | None:
    """Draws without an accepted kernel have no figure and are left out, which the value has not."""
    rows = [[(t.claude.of(quantity), len(t.kernels))] for t in targets]

    def per_kernel(drawn: Sequence[Sequence[tuple[float, int]]]) -> float | None:
        accepted = sum(kernels for ((_, kernels),) in drawn)
        return sum(spent for ((spent, _),) in drawn) / accepted if accepted else None

    return bootstrap(rows, per_kernel)
