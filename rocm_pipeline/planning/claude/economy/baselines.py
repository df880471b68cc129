"""What the same kernels would have cost with Claude writing the code, and how sure that is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.planning.claude.economy.intervals import Figure, bootstrap
from rocm_pipeline.planning.claude.economy.spend import Quantity, Spend


class Grade(str, Enum):
    """Where a figure comes from; the best first."""

    G1 = "G1 measured in a paired run"
    G2 = "G2 replayed with counted tokens"
    G3 = "G3 modelled"


class Arm(str, Enum):
    """Who writes the code instead of the agents."""

    BEST_ALONE = "best Claude alone"
    CHEAPEST_ALONE = "cheapest Claude alone"
    PLANNED_CHEAPEST = "Claude plans, cheapest Claude writes"


class Comparison(BaseModel):
    """One quantity per accepted kernel, in the baseline and against ours.

    `reduction` is the share of the baseline that ours saves: 0.9 is a tenth of it, a negative one
    says that the baseline is cheaper. Without one, `reason` says why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: Quantity
    baseline: Figure | None
    reduction: Figure | None
    reason: str = ""


class Baseline(BaseModel):
    """One baseline by one way of knowing it; `absent` says why it has no figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    arm: Arm
    model: str
    grade: Grade
    scope: str = ""
    """Which work it does."""
    comparisons: tuple[Comparison, ...] = ()
    targets: int = 0
    """How many targets it rests on."""
    acceptance: float | None = None
    """Share of its runs that came to an accepted kernel; None where that is assumed."""
    note: str = ""
    absent: str = ""

    def of(self, quantity: Quantity) -> Comparison | None:
        return next((c for c in self.comparisons if c.quantity is quantity), None)


@dataclass(frozen=True)
class Outcome:
    """What was spent on a target, and how many kernels of it were accepted for that."""

    spend: Spend
    accepted: float


@dataclass(frozen=True)
class Pair:
    """A target: what it cost us, and in the baseline, each trial standing for the whole of it."""

    ours: Outcome
    trials: tuple[Outcome, ...]


@dataclass(frozen=True)
class Models:
    """Who used the tokens on either side. Only equal tokenizers make equal tokens."""

    ours: tuple[str, ...]
    baseline: tuple[str, ...]

    @property
    def share_a_tokenizer(self) -> bool:
        """Whether one model used them all; of different ones nobody says so reliably."""
        return len({*self.ours, *self.baseline}) == 1


def compare(pairs: Mapping[str, Pair], models: Models) -> tuple[Comparison, ...]:
    """Return dollars, tokens and calls per accepted kernel over the targets that have trials."""
    groups = [
        [(pair.ours, trial) for trial in pair.trials] for pair in pairs.values() if pair.trials
    ]
    return tuple(_compared(quantity, groups, models) for quantity in Quantity)


def why_no_reduction(quantity: Quantity, ours: Spend, models: Models) -> str:
    """Return why a quantity must not be compared with a baseline; nothing where it may."""
    if not ours.calls:
        return "Claude was not called: rules planned and reviewed"
    if quantity is Quantity.TOKENS and not models.share_a_tokenizer:
        return "other models, other tokenizers: token counts are not comparable"
    return ""


_Member = tuple[Outcome, Outcome]
_Row = tuple[float, float, float, float]
"""Ours and its accepted kernels, a trial and its accepted kernels."""


def _compared(
    quantity: Quantity, groups: Sequence[Sequence[_Member]], models: Models
) -> Comparison:
    rows = [[_row(quantity, member) for member in group] for group in groups]
    baseline = bootstrap(rows, _baseline_per_kernel) if rows else None
    ours = sum((group[0][0].spend for group in groups), Spend())
    reason = why_no_reduction(quantity, ours, models)
    if not rows:
        reason = "no run of this baseline"
    elif baseline is None:
        reason = "no accepted kernel in the baseline"
    elif not reason and not any(group[0][0].accepted for group in groups):
        reason = "no accepted kernel of ours"
    elif not reason and not baseline.value:
        reason = f"the baseline has no {quantity.value}"
    reduction = None if reason else bootstrap(rows, _reduction)
    return Comparison(quantity=quantity, baseline=baseline, reduction=reduction, reason=reason)


def _row(quantity: Quantity, member: _Member) -> _Row:
    ours, trial = member
    return ours.spend.of(quantity), ours.accepted, trial.spend.of(quantity), trial.accepted


def _baseline_per_kernel(groups: Sequence[Sequence[_Row]]) -> float:
    return _per_kernel(groups, 2)


def _reduction(groups: Sequence[Sequence[_Row]]) -> float | None:
    """A draw in which only we come to no kernel is the worst there is, the opposite the best."""
    ours, baseline = _per_kernel(groups, 0), _per_kernel(groups, 2)
    if not baseline or (math.isinf(ours) and math.isinf(baseline)):
        return None
    if math.isinf(ours):
        return -math.inf
    return 1.0 if math.isinf(baseline) else 1 - ours / baseline


def _per_kernel(groups: Sequence[Sequence[_Row]], column: int) -> float:
    spent = math.fsum(_mean(group, column) for group in groups)
    accepted = math.fsum(_mean(group, column + 1) for group in groups)
    return spent / accepted if accepted else math.inf


def _mean(group: Sequence[_Row], column: int) -> float:
    return math.fsum(row[column] for row in group) / len(group)
