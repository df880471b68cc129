"""Baselines by replay (G2): the recorded transcript of the agents, as if Claude had written it.

Its text is counted by the tokenizer of the very model that it is priced for; the agents' own token
counts are not used. Where a text was not counted there is no figure. The figure is an upper bound
of the saving in one way: it assumes that Claude needs as many turns as the agents took. That what
Claude writes is accepted as often as what the agents wrote is assumed too, and was not measured. In
the other ways it leans to the baseline: answers that were not usable are left out, and every
beginning that a prompt shares with an earlier one of its target is read from a cache that cost
nothing to write.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rocm_pipeline.planning.claude.economy.account import Account, TargetAccount
from rocm_pipeline.planning.claude.economy.baselines import (
    Arm,
    Baseline,
    Grade,
    Models,
    Outcome,
    Pair,
    compare,
)
from rocm_pipeline.planning.claude.economy.modelled import Price, priced
from rocm_pipeline.planning.claude.economy.spend import NOTHING, Spend
from rocm_pipeline.planning.claude.prices import Tokens
from rocm_pipeline.planning.plan import TaskType, Work

Count = Callable[[str, str], int | None]
"""Model and text to that model's own count of its tokens; None when it is not known."""
KERNELS = "kernels"
EVERYTHING = "all that the agents wrote"
NOTE = (
    "upper bound of the saving: assumes that Claude needs as many turns as {agents}, and, without "
    "having measured it, that Claude's work is accepted as often"
)


@dataclass(frozen=True)
class Exchange:
    """One usable answer of an agent."""

    target: str
    purpose: str
    model: str
    prompt: str
    """System prompt and question in one text."""
    answer: str

    @property
    def is_kernel(self) -> bool:
        return self.purpose in _CODING


_CODING = frozenset(kind.value for kind in TaskType if kind.work is Work.KERNEL)


def replayed(
    account: Account,
    transcript: Sequence[Exchange],
    best: str,
    cheapest: str,
    count: Count,
    price: Price,
) -> tuple[Baseline, ...]:
    """Return the three baselines, for the kernels alone and for all of the agents' work.

    `transcript` is in the order of the calls. Baselines whose texts were not counted say so.
    """
    agents = ", ".join(sorted({exchange.model for exchange in transcript}))
    found: list[Baseline] = []
    for arm, model in (
        (Arm.BEST_ALONE, best),
        (Arm.CHEAPEST_ALONE, cheapest),
        (Arm.PLANNED_CHEAPEST, cheapest),
    ):
        for scope in (KERNELS, EVERYTHING):
            chosen = [e for e in transcript if scope == EVERYTHING or e.is_kernel]
            spends = _spends(chosen, model, count, price)
            about = Baseline(arm=arm, model=model, grade=Grade.G2, scope=scope)
            why = _why_absent(account, arm, chosen, spends)
            if spends is None or why:
                found.append(about.model_copy(update={"absent": why}))
                continue
            plans = arm is Arm.PLANNED_CHEAPEST
            pairs = {t.target: _pair(t, spends.get(t.target, []), plans) for t in account.targets}
            models = Models(
                ours=account.claude_models,
                baseline=(*account.claude_models, model) if plans else (model,),
            )
            filled = {
                "comparisons": compare(pairs, models),
                "targets": len(pairs),
                "note": NOTE.format(agents=agents),
            }
            found.append(about.model_copy(update=filled))
    return tuple(found)


def texts(transcript: Iterable[Exchange]) -> tuple[str, ...]:
    """Return every text that must be counted for a replay, once."""
    needed: dict[str, None] = {}
    for exchange, shared in _with_shared(transcript):
        needed |= dict.fromkeys((exchange.prompt, shared, exchange.answer))
    return tuple(text for text in needed if text)


def _spends(
    transcript: Sequence[Exchange], model: str, count: Count, price: Price
) -> Mapping[str, list[Spend]] | None:
    """Return each exchange as a request to `model`, by target; None when a count is missing."""
    spends: dict[str, list[Spend]] = {}
    for exchange, shared in _with_shared(transcript):
        prompt, out = count(model, exchange.prompt), count(model, exchange.answer)
        cached = count(model, shared) if shared else 0
        if prompt is None or out is None or cached is None:
            return None
        cached = min(cached, prompt)
        request = Tokens(cache_read=cached, fresh=prompt - cached, out=out)
        spends.setdefault(exchange.target, []).append(priced(request, model, price))
    return spends


def _with_shared(transcript: Iterable[Exchange]) -> Iterable[tuple[Exchange, str]]:
    """Yield each exchange with the longest beginning that an earlier prompt of its target has."""
    earlier: dict[str, list[str]] = {}
    for exchange in transcript:
        before = earlier.setdefault(exchange.target, [])
        beginnings = (_shared(exchange.prompt, prompt) for prompt in before)
        yield exchange, max(beginnings, key=len, default="")
        before.append(exchange.prompt)


def _shared(text: str, other: str) -> str:
    """Return the longest common beginning, by halves: prompts are long and there are many pairs."""
    low, high = 0, min(len(text), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if text.startswith(other[:middle]):
            low = middle
        else:
            high = middle - 1
    return text[:low]


def _pair(target: TargetAccount, spends: Sequence[Spend], plans: bool) -> Pair:
    """Return the target with its exchanges, each scaled to stand for all of them."""
    ours = Outcome(target.claude, len(target.kernels))
    planning = target.claude if plans else NOTHING
    scaled = [spend.times(len(spends)) + planning for spend in spends] or [planning]
    return Pair(ours, tuple(Outcome(spend, ours.accepted) for spend in scaled))


def _why_absent(
    account: Account,
    arm: Arm,
    transcript: Sequence[Exchange],
    spends: Mapping[str, list[Spend]] | None,
) -> str:
    if not transcript:
        return "the agents wrote nothing of this that could be used"
    if spends is None:
        return "NOT available: the texts were not counted by this model (that needs a key)"
    if arm is Arm.PLANNED_CHEAPEST and not account.claude.calls:
        return "Claude did not plan: rules planned and reviewed"
    return ""
