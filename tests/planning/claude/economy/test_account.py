"""What every target caused, added up: nothing is lost, nothing counts twice."""

import json
import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocm_pipeline.planning.claude.call import Purpose
from rocm_pipeline.planning.claude.economy.account import (
    Attempt,
    cached_after_first,
    make_account,
)
from rocm_pipeline.planning.claude.economy.spend import Quantity, Spend
from rocm_pipeline.records.ledger import ANTHROPIC
from tests.planning.claude.economy.makers import agent, claude
from tests.scale import scaled

NAMES = ("softmax", "attention", "decoder")
amounts = st.integers(0, 10**7).map(float)
spends = st.builds(
    Spend,
    calls=st.just(1.0),
    fresh=amounts,
    cache_write_5m=amounts,
    cache_write_1h=amounts,
    cache_read=amounts,
    out=amounts,
    unknown=amounts,
    usd=st.integers(0, 10**6).map(lambda cents: cents / 100),
)
attempts = st.builds(
    Attempt,
    targets=st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple),
    provider=st.sampled_from((ANTHROPIC, "ollama")),
    model=st.sampled_from(("big", "small")),
    purpose=st.sampled_from([*(p.value for p in Purpose), "code_optimization"]),
    outcome=st.sampled_from(("OK", "REFUSED", "TRUNCATED", "UNKNOWN")),
    spend=spends,
    in_batch=st.booleans(),
)


@settings(max_examples=scaled(short=50, long=1000), deadline=None)
@given(st.lists(attempts, max_size=30))
def test_the_parts_add_up_to_the_ledger_whatever_came_of_the_calls(ledger: list[Attempt]) -> None:
    account = make_account(ledger, {})
    for quantity in Quantity:
        whole = math.fsum(a.spend.of(quantity) for a in ledger)
        parts = sum(s.of(quantity) for s in (account.claude, account.agents, account.experiments))
        by_target = sum((t.claude + t.agents).of(quantity) for t in account.targets)
        by_model = sum(m.spend.of(quantity) for m in account.models)
        by_purpose = sum(s.of(quantity) for s in account.purposes.values())
        assert parts == pytest.approx(whole)
        assert by_target == pytest.approx(whole - account.experiments.of(quantity))
        assert by_model == pytest.approx(by_target)
        assert by_purpose == pytest.approx(account.claude.of(quantity))
    assert sum(account.outcomes.values()) == account.claude.calls


@settings(max_examples=scaled(short=30, long=500), deadline=None)
@given(st.lists(attempts, max_size=12), st.randoms())
def test_the_order_of_the_calls_changes_nothing(ledger: list[Attempt], random: object) -> None:
    shuffled = list(ledger)
    getattr(random, "shuffle")(shuffled)  # noqa: B009
    one, other = make_account(ledger, {}), make_account(shuffled, {})
    assert one.claude.usd == pytest.approx(other.claude.usd)
    assert one.claude.tokens == other.claude.tokens
    assert [t.target for t in one.targets] == [t.target for t in other.targets]


def test_every_call_counts_and_abandoned_targets_too() -> None:
    account = make_account(
        [
            claude("kept", usd=1.0, fresh=100, out=10),
            claude("kept", outcome="REFUSED", usd=0.25, fresh=50),
            claude("kept", outcome="UNKNOWN", usd=2.0, usd_at_worst=2.0, unknown=700),
            claude("abandoned", outcome="TRUNCATED", usd=0.75, out=40),
            agent("kept", fresh=9_000, out=900),
        ],
        {"kept": ("k-1", "k-2")},
    )
    assert account.accepted == 2
    each = account.claude_per_kernel
    assert each is not None
    assert (each.usd, each.tokens, each.calls) == (2.0, 450.0, 2.0)
    assert each.usd_at_worst == 1.0
    assert account.outcomes == {"OK": 1, "REFUSED": 1, "TRUNCATED": 1, "UNKNOWN": 1}
    assert account.agents.tokens == 9_900, "the agents' tokens are none of Claude's"


def test_a_call_for_several_targets_is_borne_in_equal_parts() -> None:
    review = claude(*NAMES, purpose="review", usd=0.3, fresh=300)
    account = make_account([review], {name: (f"k-{name}",) for name in NAMES})
    for target in account.targets:
        assert target.claude.usd == pytest.approx(0.1)
        assert target.claude.tokens == 100
    assert account.calls_per_kernel(Purpose.REVIEW) == pytest.approx(1 / 3)
    assert account.claude.calls == 1


def test_nothing_is_said_per_kernel_without_an_accepted_one() -> None:
    account = make_account([claude(usd=1.0)], {})
    assert account.claude_per_kernel is None
    assert account.calls_per_kernel(Purpose.REVIEW) is None


def test_a_kernel_that_is_named_twice_is_one() -> None:
    assert make_account([], {"t": ("k-1", "k-1")}).accepted == 1


def test_experiments_are_no_kernels_cost() -> None:
    account = make_account([claude(usd=1.0), claude(purpose="baseline", usd=50.0)], {"t": ("k-1",)})
    assert account.claude_per_kernel == Spend(calls=1, usd=1.0)
    assert account.experiments.usd == 50.0


def test_a_cached_share_is_of_the_prompt_alone() -> None:
    assert Spend(fresh=10, cache_write_5m=20, cache_read=70, out=500).cached_share == 0.7
    assert Spend(out=5).cached_share is None


def test_the_cache_is_looked_at_from_the_second_target_on() -> None:
    first = claude("a", cache_write_5m=900, fresh=100)
    repair = claude("a", purpose="repair", fresh=10**6)
    second = claude("b", cache_read=900, fresh=300, out=50)
    assert cached_after_first([first, repair, second], Purpose.PLAN) == 0.75
    assert cached_after_first([first], Purpose.PLAN) is None
    assert cached_after_first([], Purpose.PLAN) is None


@pytest.mark.parametrize(("factor", "field"), list(product((0, 1, 3), Spend.model_fields)))
def test_no_field_is_forgotten_in_sums(factor: int, field: str) -> None:
    one = Spend(**{field: 2.0})
    assert getattr(one + one, field) == 4.0
    assert getattr(one.times(factor), field) == 2.0 * factor


def test_an_account_is_json_with_its_sums() -> None:
    written = json.loads(make_account([claude(usd=1.0), agent(out=3)], {}).model_dump_json())
    assert written["agents"]["tokens"] == 3
    assert [target["claude"]["usd"] for target in written["targets"]] == [1.0]
