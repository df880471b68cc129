"""Intervals by resampling: how far a figure would move with other targets or other runs."""

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

RESAMPLES = 2000
LEVEL = 0.95
_SEED = 20_261_101
"""Fixed: the same records give the same interval."""

T = TypeVar("T")


class Figure(BaseModel):
    """A number with its interval; an end that is None has no bound."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float | None
    high: float | None

    @model_validator(mode="after")
    def _in_order(self) -> "Figure":
        if not math.isfinite(self.value):
            raise ValueError("a figure is a finite number")
        if (self.low is not None and self.low > self.value) or (
            self.high is not None and self.high < self.value
        ):
            raise ValueError("the interval must hold the figure")
        return self

    @classmethod
    def between(cls, value: float, *others: float) -> "Figure":
        """Return `value` with the narrowest interval that holds it and all `others`."""
        ends = (value, *others)
        return cls(value=value, low=_finite(min(ends)), high=_finite(max(ends)))


def bootstrap(
    groups: Sequence[Sequence[T]], statistic: Callable[[Sequence[Sequence[T]]], float | None]
) -> Figure | None:
    """Return the statistic of `groups` with its percentile interval over resampled groups.

    Groups (targets) are drawn with repeats, and within each its members (runs, attempts). Where
    the statistic has no value the draw is left out; None when it has no finite value for `groups`
    itself. The interval always holds the value, which so few samples do not by themselves ensure.
    """
    value = statistic(groups)
    if value is None or not math.isfinite(value):
        return None
    # no secret: it resamples
    random = Random(_SEED)
    drawn = sorted(
        found
        for _ in range(RESAMPLES)
        if (found := statistic([_resampled(g, random) for g in _resampled(groups, random)]))
        is not None
    )
    if not drawn:
        return Figure(value=value, low=None, high=None)
    tail = (1 - LEVEL) / 2
    return Figure.between(value, _quantile(drawn, tail), _quantile(drawn, 1 - tail))


def _resampled(items: Sequence[T], random: Random) -> list[T]:
    return random.choices(items, k=len(items))


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
