from dataclasses import replace

import pytest

from rocm_pipeline.planning.claude.budget import booked, day_start, exceeded
from rocm_pipeline.planning.claude.settings import Budgets, Limit
from rocm_pipeline.records.journal import Intent
from rocm_pipeline.records.schema import AttemptRow

NOON = 1_795_348_800.0 - 1_795_348_800.0 % 86_400 + 43_200
NO_LIMIT = Budgets(run=Limit(), day=Limit(), target=Limit())


def intent(usd: float = 1.0, tokens: int = 100, run_id: str | None = "r", *more: str) -> Intent:
    return Intent(
        provider="anthropic",
        model="m",
        model_digest="",
        system="",
        prompt="",
        host="h",
        target="a",
        shared_with=more,
        purpose="plan",
        role="coordinator",
        run_id=run_id,
        usd_at_most=usd,
        tokens_at_most=tokens,
    )


def row(
    *,
    usd: float = 0.0,
    status: str = "OK",
    target: str = "a",
    shared_with: tuple[str, ...] = (),
    run_id: str | None = "r",
    sent: float = NOON,
    is_bound: bool = False,
    tokens: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> AttemptRow:
    fresh, write, read, out = tokens
    return AttemptRow(
        attempt_id="a-1",
        intent_sha256="",
        owner="",
        give_up_at=0.0,
        target=target,
        shared_with=shared_with,
        plan_id=None,
        task_id=None,
        run_id=run_id,
        purpose="plan",
        role="coordinator",
        round=1,
        attempt_no=1,
        provider="anthropic",
        host="h",
        model_requested="m",
        model_digest="",
        seed=None,
        options_sha256="",
        prompt_sha256="",
        in_batch=False,
        usd_at_most=3.0,
        tokens_at_most=300,
        price_version="",
        t_queued=sent,
        t_sent=sent,
        status=status,
        tokens_in=fresh,
        tokens_cache_write=write,
        tokens_cache_read=read,
        tokens_out=out,
        usd=usd,
        usd_is_bound=is_bound,
    )


def limited(name: str, **limit: float) -> Budgets:
    return NO_LIMIT.model_copy(update={name: Limit(**limit)})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["run", "day", "target"])
def test_a_call_may_use_a_budget_up_but_not_pass_it(name: str) -> None:
    spent = [row(usd=4.0)]
    assert exceeded(limited(name, usd=5.0), spent, intent(1.0), NOON) is None
    problem = exceeded(limited(name, usd=4.99), spent, intent(1.0), NOON)
    assert problem is not None
    assert "$4.0000 are spent or promised, this call can cost $1.0000" in problem


def test_what_is_of_another_run_day_or_target_does_not_count() -> None:
    yesterday = day_start(NOON) - 1.0
    assert exceeded(limited("run", usd=2.0), [row(usd=4.0, run_id="q")], intent(), NOON) is None
    assert exceeded(limited("day", usd=2.0), [row(usd=4.0, sent=yesterday)], intent(), NOON) is None
    assert exceeded(limited("target", usd=2.0), [row(usd=4.0, target="b")], intent(), NOON) is None
    old = [row(usd=4.0, sent=yesterday, run_id="q")]
    assert exceeded(limited("target", usd=2.0), old, intent(), NOON) is not None


def test_calls_outside_of_a_run_are_no_run() -> None:
    spent = [row(usd=4.0, run_id=None)]
    assert exceeded(limited("run", usd=2.0), spent, intent(run_id=None), NOON) is None


def test_a_call_under_way_counts_at_its_worst_case() -> None:
    assert booked(row(status="PENDING")).usd == 3.0
    assert exceeded(limited("day", usd=3.5), [row(status="PENDING")], intent(), NOON) is not None


def test_a_call_of_unknown_cost_counts_at_its_bound() -> None:
    spent = booked(row(status="UNKNOWN", usd=2.5, is_bound=True, tokens=(7, 0, 0, 0)))
    assert (spent.usd, spent.tokens) == (2.5, 300)


def test_tokens_of_every_kind_count() -> None:
    spent = [row(tokens=(1, 2, 3, 4))]
    assert booked(spent[0]).tokens == 10
    assert exceeded(limited("day", tokens=110), spent, intent(), NOON) is None
    assert exceeded(limited("day", tokens=109), spent, intent(), NOON) is not None


def test_targets_that_share_a_call_bear_a_part_each() -> None:
    shared = intent(3.0, 100, "r", "b", "c")
    assert exceeded(limited("target", usd=1.0), [], shared, NOON) is None
    spent = [row(usd=0.3, target="z", shared_with=("c",))]
    problem = exceeded(limited("target", usd=1.1), spent, shared, NOON)
    assert problem is not None
    assert problem.startswith("the budget of target c: $0.1500 are spent")


def test_no_limit_is_no_limit_and_a_limit_of_nothing_lets_nothing_through() -> None:
    assert exceeded(NO_LIMIT, [row(usd=1e9)], intent(1e9), NOON) is None
    assert exceeded(limited("day", usd=0.0), [], intent(0.01), NOON) is not None
    assert exceeded(limited("day", usd=0.0), [], replace(intent(), usd_at_most=0.0), NOON) is None
