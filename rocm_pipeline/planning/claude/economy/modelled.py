"""Baselines from stated constants (G3): valid for work like that which the constants describe."""

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rocm_pipeline.planning.claude.economy.account import Account
from rocm_pipeline.planning.claude.economy.baselines import (
    Arm,
    Baseline,
    Comparison,
    Grade,
    Models,
    why_no_reduction,
)
from rocm_pipeline.planning.claude.economy.intervals import Figure
from rocm_pipeline.planning.claude.economy.spend import NOTHING, Quantity, Spend
from rocm_pipeline.planning.claude.prices import Tokens
from rocm_pipeline.strict_yaml import read_mapping

End = Literal["low", "middle", "high"]
Price = Callable[[str, Tokens], float]
"""Model and tokens of one request to USD."""
NOTE = (
    "one kernel by stated constants, the same for every model; its range is stated too; assumes, "
    "without having measured it, that every such loop ends in an accepted kernel"
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(_Frozen):
    low: int = Field(gt=0)
    middle: int
    high: int

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if not self.low <= self.middle <= self.high:
            raise ValueError("a range rises from low over middle to high")
        return self

    def at(self, end: End) -> int:
        return {"low": self.low, "middle": self.middle, "high": self.high}[end]


class Loop(_Frozen):
    source: str
    turns: Range
    first_prompt: Range
    last_prompt: Range
    answer: Range


class Planning(_Frozen):
    source: str
    plan_prompt: Range
    plan_answer: Range
    review_prompt: Range
    review_answer: Range


class EqualAcceptance(_Frozen):
    source: str
    margin: float = Field(ge=0, lt=1)


class Constants(_Frozen):
    """What `constants.yaml` states, with its sources."""

    loop: Loop
    planning: Planning
    equal_acceptance: EqualAcceptance


@cache
def constants() -> Constants:
    text = files("rocm_pipeline.planning.claude.economy").joinpath("constants.yaml").read_text()
    return Constants.model_validate(read_mapping(text))


def loop_spend(loop: Loop, end: End, model: str, price: Price) -> Spend:
    """Return what one kernel costs in a loop whose every turn reads the last one from the cache.

    The prompt grows evenly; what is new in a turn is written to the cache (5 minutes).
    """
    turns, first = loop.turns.at(end), loop.first_prompt.at(end)
    growth = (loop.last_prompt.at(end) - first) / max(turns - 1, 1)
    spent, known = NOTHING, 0
    for turn in range(turns):
        prompt = round(first + growth * turn)
        request = Tokens(cache_read=known, cache_write_5m=prompt - known, out=loop.answer.at(end))
        spent, known = spent + priced(request, model, price), prompt
    return spent


def planning_spend(planning: Planning, end: End, model: str, price: Price) -> Spend:
    """Return what a plan for one kernel and one review of it cost, uncached."""
    plan = Tokens(fresh=planning.plan_prompt.at(end), out=planning.plan_answer.at(end))
    review = Tokens(fresh=planning.review_prompt.at(end), out=planning.review_answer.at(end))
    return priced(plan, model, price) + priced(review, model, price)


def priced(request: Tokens, model: str, price: Price) -> Spend:
    """Return one request as spending."""
    return Spend(
        calls=1,
        fresh=request.fresh,
        cache_write_5m=request.cache_write_5m,
        cache_write_1h=request.cache_write_1h,
        cache_read=request.cache_read,
        out=request.out,
        usd=price(model, request),
    )


def modelled(account: Account, best: str, cheapest: str, price: Price) -> tuple[Baseline, ...]:
    """Return the three baselines as the constants have them."""
    stated = constants()

    def alone(model: str) -> Callable[[End], Spend]:
        return lambda end: loop_spend(stated.loop, end, model, price)

    def planned(end: End) -> Spend:
        return planning_spend(stated.planning, end, best, price) + alone(cheapest)(end)

    return (
        _baseline(Arm.BEST_ALONE, (best,), alone(best), account),
        _baseline(Arm.CHEAPEST_ALONE, (cheapest,), alone(cheapest), account),
        _baseline(Arm.PLANNED_CHEAPEST, (best, cheapest), planned, account),
    )


def _baseline(
    arm: Arm, models: tuple[str, ...], spend: Callable[[End], Spend], account: Account
) -> Baseline:
    sides = Models(ours=account.claude_models, baseline=models)
    return Baseline(
        arm=arm,
        model=" + ".join(dict.fromkeys(models)),
        grade=Grade.G3,
        scope="one kernel",
        comparisons=tuple(_comparison(q, spend, account, sides) for q in Quantity),
        targets=len(account.targets),
        note=NOTE,
    )


def _comparison(
    quantity: Quantity, spend: Callable[[End], Spend], account: Account, models: Models
) -> Comparison:
    value, *ends = (spend(end).of(quantity) for end in ("middle", "low", "high"))
    ours = account.claude_per_kernel
    reason = why_no_reduction(quantity, account.claude, models)
    if ours is None:
        reason = "no accepted kernel of ours"
    reduction = None
    if ours is not None and not reason:
        spent = ours.of(quantity)
        reduction = Figure.between(1 - spent / value, *(1 - spent / end for end in ends))
    return Comparison(
        quantity=quantity,
        baseline=Figure.between(value, *ends),
        reduction=reduction,
        reason=reason,
    )
