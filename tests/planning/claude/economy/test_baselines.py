"""Baselines: what is compared, what must not be, and intervals that hold their figures."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocm_pipeline.planning.claude.economy.account import make_account
from rocm_pipeline.planning.claude.economy.baselines import (
    Arm,
    Baseline,
    Comparison,
    Models,
    Outcome,
    Pair,
    compare,
)
from rocm_pipeline.planning.claude.economy.intervals import Figure, bootstrap
from rocm_pipeline.planning.claude.economy.modelled import constants, loop_spend, modelled
from rocm_pipeline.planning.claude.economy.paired import Trial, paired
from rocm_pipeline.planning.claude.economy.replay import Exchange, replayed, texts
from rocm_pipeline.planning.claude.economy.spend import Quantity, Spend
from tests.planning.claude.economy.makers import (
    BEST,
    CHEAPEST,
    agent,
    claude,
    exchange,
    price,
)
from tests.scale import scaled

SAME = Models(ours=(BEST,), baseline=(BEST,))


def outcome(usd: float, accepted: float = 1, *, tokens: float = 100) -> Outcome:
    return Outcome(Spend(calls=1, fresh=tokens, usd=usd), accepted)


def usd_of(comparisons: tuple[Comparison, ...]) -> Comparison:
    return next(c for c in comparisons if c.quantity is Quantity.USD)


def saved(comparison: Comparison | None) -> Figure:
    assert comparison is not None
    assert comparison.reduction is not None, comparison.reason
    return comparison.reduction


def test_a_known_saving() -> None:
    pairs = {
        "a": Pair(outcome(0.1), (outcome(1.0), outcome(3.0))),
        "b": Pair(outcome(0.3, 0), (outcome(2.0, 1), outcome(2.0, 0))),
    }
    found = usd_of(compare(pairs, SAME))
    # ours: 0.4 for one kernel; theirs: mean 2 + mean 2 for 1 + 0.5 kernels
    assert found.baseline is not None
    assert found.baseline.value == pytest.approx(4 / 1.5)
    assert saved(found).value == pytest.approx(1 - 0.4 / (4 / 1.5))


def test_a_baseline_that_wins_is_a_negative_saving() -> None:
    found = usd_of(compare({"a": Pair(outcome(2.0), (outcome(0.5),))}, SAME))
    assert saved(found).value == -3.0


costs = st.floats(0.01, 1e4)
pairs = st.builds(
    Pair,
    ours=st.builds(outcome, costs, st.integers(0, 2).map(float)),
    trials=st.lists(st.builds(outcome, costs, st.integers(0, 1).map(float)), max_size=3).map(tuple),
)


@settings(max_examples=scaled(short=25, long=400), deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), pairs, max_size=4))
def test_a_saving_lies_in_its_interval_or_says_why_it_is_missing(found: dict[str, Pair]) -> None:
    for comparison in compare(found, SAME):
        assert (comparison.reduction is None) == bool(comparison.reason)
        for figure in (comparison.baseline, comparison.reduction):
            if figure is not None:
                assert figure.low is None or figure.low <= figure.value
                assert figure.high is None or figure.value <= figure.high
        if comparison.reduction is not None:
            assert comparison.baseline is not None, "no saving against a missing baseline"
            assert comparison.reduction.value <= 1


@settings(max_examples=scaled(short=20, long=200), deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), pairs, min_size=1, max_size=3))
def test_dearer_trials_never_make_a_smaller_saving(found: dict[str, Pair]) -> None:
    dearer = {
        name: Pair(p.ours, tuple(Outcome(t.spend.times(2), t.accepted) for t in p.trials))
        for name, p in found.items()
    }
    before, after = usd_of(compare(found, SAME)), usd_of(compare(dearer, SAME))
    assert (before.reduction is None) == (after.reduction is None)
    if before.reduction is not None:
        assert saved(after).value >= saved(before).value


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ({}, "no run of this baseline"),
        ({"a": Pair(outcome(1.0), ())}, "no run of this baseline"),
        ({"a": Pair(outcome(1.0), (outcome(1.0, 0),))}, "no accepted kernel in the baseline"),
        ({"a": Pair(outcome(1.0, 0), (outcome(1.0),))}, "no accepted kernel of ours"),
        ({"a": Pair(outcome(1.0), (outcome(0.0),))}, "the baseline has no usd"),
        ({"a": Pair(Outcome(Spend(), 1), (outcome(1.0),))}, "Claude was not called"),
    ],
)
def test_no_saving_is_made_up(pairs: dict[str, Pair], reason: str) -> None:
    found = usd_of(compare(pairs, SAME))
    assert found.reduction is None
    assert reason in found.reason


def test_tokens_are_compared_within_one_model_only() -> None:
    pairs = {"a": Pair(outcome(1.0), (outcome(2.0),))}
    for models in (
        Models(ours=(BEST,), baseline=(CHEAPEST,)),
        Models(ours=(BEST, CHEAPEST), baseline=(BEST,)),
        Models(ours=(), baseline=()),
    ):
        by_quantity = {c.quantity: c for c in compare(pairs, models)}
        assert by_quantity[Quantity.TOKENS].reduction is None
        assert "tokenizers" in by_quantity[Quantity.TOKENS].reason
        assert by_quantity[Quantity.USD].reduction is not None
    same = {c.quantity: c for c in compare(pairs, SAME)}
    assert same[Quantity.TOKENS].reduction is not None


def test_a_figure_without_its_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="must hold"):
        Figure(value=1.0, low=2.0, high=3.0)
    with pytest.raises(ValueError, match="finite"):
        Figure(value=math.inf, low=None, high=None)
    assert Figure.between(1.0, -math.inf, 4.0) == Figure(value=1.0, low=None, high=4.0)


def test_an_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    """Of samples of 40 uniform numbers, their intervals hold the true mean in most cases."""
    from random import Random

    random, held = Random(7), 0
    tries = scaled(short=40, long=200)
    for _ in range(tries):
        groups = [[random.random()] for _ in range(40)]
        found = bootstrap(groups, lambda drawn: sum(v for (v,) in drawn) / len(drawn))
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.5 <= found.high
    assert 0.8 * tries <= held
    assert bootstrap([[1.0]], lambda _: math.inf) is None


def test_the_modelled_loop_is_the_sum_that_one_can_check_by_hand() -> None:
    best = loop_spend(constants().loop, "middle", BEST, price)
    # 50,000 written at 5, 675,000 read at 0.2, 25,000 out at 20, all per million
    assert (best.cache_write_5m, best.cache_read, best.out) == (50_000, 675_000, 25_000)
    assert best.usd == pytest.approx(0.25 + 0.135 + 0.5)
    cheapest = loop_spend(constants().loop, "middle", CHEAPEST, price)
    assert cheapest.usd == pytest.approx(0.0255)
    assert best.calls == 25


def modelled_arms(*spent: float) -> dict[Arm, Baseline]:
    account = make_account([claude(usd=usd, fresh=1e4) for usd in spent], {"t": ("k-1",)})
    return {b.arm: b for b in modelled(account, BEST, CHEAPEST, price)}


def test_the_cheapest_claude_is_shown_where_it_wins() -> None:
    arms = modelled_arms(0.1)
    assert saved(arms[Arm.BEST_ALONE].of(Quantity.USD)).value == pytest.approx(1 - 0.1 / 0.885)
    cheapest = saved(arms[Arm.CHEAPEST_ALONE].of(Quantity.USD))
    assert cheapest.value == pytest.approx(1 - 0.1 / 0.0255)
    assert cheapest.value < 0
    for arm in arms.values():
        for comparison in arm.comparisons:
            assert comparison.baseline is not None
            assert comparison.baseline.low is not None
            assert comparison.baseline.high is not None
            assert comparison.baseline.low < comparison.baseline.value < comparison.baseline.high


def test_a_model_says_nothing_of_a_saving_where_claude_was_not_called() -> None:
    arms = modelled_arms()
    assert all(c.reduction is None and c.reason for b in arms.values() for c in b.comparisons)


def count_words(_: str, text: str) -> int:
    return len(text.split())


def count_nothing(_model: str, _text: str) -> None:
    return None


def replay(*exchanges: Exchange, spent: float = 0.001, counted: bool = True) -> list[Baseline]:
    account = make_account([claude(usd=spent, fresh=10), agent(out=5)], {"t": ("k-1",)})
    count = count_words if counted else count_nothing
    return list(replayed(account, exchanges, BEST, CHEAPEST, count, price))


def test_a_replay_is_priced_with_the_counts_of_that_very_model() -> None:
    first = exchange("you are an expert write it", "a b c")
    second = exchange("you are an expert again please now", "d e")
    found = replay(first, second)[0]
    assert found.arm is Arm.BEST_ALONE
    tokens = found.of(Quantity.TOKENS)
    assert tokens is not None
    assert tokens.baseline is not None
    assert tokens.baseline.value == 6 + 3 + 7 + 2
    # the four words that both begin with are read from the cache at their second time
    usd = found.of(Quantity.USD)
    assert usd is not None
    assert usd.baseline is not None
    assert usd.baseline.value == pytest.approx((9 * 4 + 4 * 0.2 + 5 * 20) / 1e6)
    assert "upper bound" in found.note
    assert "coder:7b" in found.note


def test_a_replay_without_counts_is_absent_and_not_guessed() -> None:
    for baseline in replay(exchange(), counted=False):
        assert "NOT available" in baseline.absent
        assert baseline.comparisons == ()


def test_one_missing_count_leaves_no_figure() -> None:
    account = make_account([claude(usd=1.0)], {"t": ("k-1",)})
    known = {"system question": 2}
    found = replayed(account, [exchange()], BEST, CHEAPEST, lambda _, text: known.get(text), price)
    assert all(b.absent for b in found)


def test_kernels_are_replayed_apart_from_all_that_the_agents_wrote() -> None:
    kernel, document = exchange("p q", "k"), exchange("p q", "d d d d", purpose="documentation")
    by_scope = {b.scope: b for b in replay(kernel, document) if b.arm is Arm.BEST_ALONE}
    tokens = {
        scope: c.baseline.value
        for scope, b in by_scope.items()
        if (c := b.of(Quantity.TOKENS)) and c.baseline
    }
    assert tokens == {"kernels": 3, "all that the agents wrote": 3 + 6}


def test_the_texts_to_count_are_named_once_each() -> None:
    found = texts([exchange("s a", "x"), exchange("s b", "x")])
    assert found == ("s a", "x", "s b", "s ")


def trial(target: str, repeat: int, *, arm: Arm, accepted: bool = True, series: str = "s") -> Trial:
    return Trial(
        series=series,
        arm=arm,
        model=BEST if arm is Arm.BEST_ALONE else CHEAPEST,
        target=target,
        repeat=repeat,
        run_id=f"{series}-{arm.name}-{target}-{repeat}",
        accepted=accepted,
        rounds=3,
    )


def measure(trials: list[Trial], usd: float = 1.0) -> dict[Arm, Baseline]:
    account = make_account([claude("a", usd=0.1, fresh=10)], {"a": ("k-1",)})
    spent = {t.run_id: Spend(calls=3, fresh=300, usd=usd) for t in trials}
    return {b.arm: b for b in paired(account, trials, spent, BEST, CHEAPEST)}


def test_a_paired_run_is_measured_from_the_ledger() -> None:
    best = measure([trial("a", n, arm=Arm.BEST_ALONE) for n in (1, 2)])[Arm.BEST_ALONE]
    assert saved(best.of(Quantity.USD)).value == pytest.approx(0.9)
    assert saved(best.of(Quantity.TOKENS)).value == pytest.approx(1 - 10 / 300)
    assert best.acceptance == 1.0
    assert "too few for a claim" in best.note


def test_without_a_paired_run_there_is_no_measured_figure() -> None:
    for baseline in measure([]).values():
        assert "NOT available" in baseline.absent
        assert baseline.comparisons == ()


def test_an_arm_that_was_left_out_is_said_to_be() -> None:
    found = measure([trial("a", 1, arm=Arm.BEST_ALONE)])
    assert "not part of the last paired run" in found[Arm.PLANNED_CHEAPEST].absent


def test_a_baseline_that_accepts_less_is_not_compared() -> None:
    trials = [trial("a", n, arm=Arm.CHEAPEST_ALONE, accepted=n == 1) for n in (1, 2)]
    found = measure(trials)[Arm.CHEAPEST_ALONE].of(Quantity.USD)
    assert found is not None
    assert found.reduction is None
    assert "not at equal acceptance: 50% of its runs, 100% of our targets" in found.reason
    assert found.baseline is not None, "what it cost is shown all the same"


def test_only_the_newest_series_counts() -> None:
    old = trial("a", 1, arm=Arm.BEST_ALONE, series="old")
    new = trial("a", 1, arm=Arm.CHEAPEST_ALONE, series="new")
    found = measure([old, new])
    assert found[Arm.BEST_ALONE].absent
    assert not found[Arm.CHEAPEST_ALONE].absent


def test_planning_is_part_of_what_a_planned_worker_costs() -> None:
    found = measure([trial("a", 1, arm=Arm.PLANNED_CHEAPEST)], usd=0.4)
    usd = found[Arm.PLANNED_CHEAPEST].of(Quantity.USD)
    assert usd is not None
    assert usd.baseline is not None
    assert usd.baseline.value == pytest.approx(0.5)
