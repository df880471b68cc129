"""Small histories for the tests of the economy."""

from rocm_pipeline.planning.claude.call import Purpose
from rocm_pipeline.planning.claude.economy.account import Attempt
from rocm_pipeline.planning.claude.economy.replay import Exchange
from rocm_pipeline.planning.claude.economy.spend import Spend
from rocm_pipeline.planning.claude.prices import Prices, Tokens, shipped_rows
from rocm_pipeline.records.ledger import ANTHROPIC

BEST, CHEAPEST = "claude-opus-5-5", "claude-haiku-5-5"
_PRICES = Prices(shipped_rows())
AT = 1_795_000_000.0
"""November 2026: after the newest price."""


def price(model: str, tokens: Tokens) -> float:
    return float(_PRICES.price(tokens, model, AT))


def claude(
    *targets: str,
    purpose: str = Purpose.PLAN.value,
    model: str = BEST,
    outcome: str = "OK",
    run_id: str | None = None,
    **spend: float,
) -> Attempt:
    return Attempt(
        targets=targets or ("t",),
        provider=ANTHROPIC,
        model=model,
        purpose=purpose,
        outcome=outcome,
        run_id=run_id,
        spend=Spend(calls=1, **spend),
    )


def agent(*targets: str, **spend: float) -> Attempt:
    return Attempt(
        targets=targets or ("t",),
        provider="ollama",
        model="coder:7b",
        purpose="code_optimization",
        outcome="OK",
        spend=Spend(calls=1, **spend),
    )


def exchange(
    prompt: str = "system question",
    answer: str = "kernel",
    *,
    target: str = "t",
    purpose: str = "code_optimization",
) -> Exchange:
    return Exchange(target=target, purpose=purpose, model="coder:7b", prompt=prompt, answer=answer)
