"""Cases the harness draws."""

from pathlib import Path

import numpy as np
import pytest

from rocm_pipeline.lab.cases import (
    draw_inputs,
    held_out_trials,
    large_trials,
    poisoned,
    reduced,
    repeat_trial,
    scalar_values,
    timed_trials,
    within_domain,
)
from rocm_pipeline.targets import library
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Case, Target


def load(name: str) -> Target:
    return library.load(name, Path("/nonexistent"))


@pytest.mark.parametrize("name", library.builtin_names())
@pytest.mark.parametrize("seed", [0, 1, 2**61])
def test_held_out_cases_are_in_the_domain_and_within_the_budget(name: str, seed: int) -> None:
    target = load(name)
    for trial in held_out_trials(target, seed):
        assert within_domain(target, trial.case) is None
    assert {t.case.scale for t in held_out_trials(target, seed)} == set(target.scales)


@pytest.mark.parametrize("name", library.builtin_names())
def test_held_out_cases_cover_every_type_and_choice(name: str) -> None:
    target = load(name)
    drawn = [trial.case for trial in held_out_trials(target, 5)]
    for variant in target.kernel_variants():
        listed = {n: v for n, v in variant.symbols.items() if target.symbols[n].choices}
        assert any(
            case.dtypes == variant.dtypes and listed.items() <= case.symbols.items()
            for case in drawn
        ), variant.name


def test_the_same_seed_draws_the_same_and_another_draws_others() -> None:
    target = load("row_softmax")
    assert held_out_trials(target, 3) == held_out_trials(target, 3)
    assert held_out_trials(target, 3) != held_out_trials(target, 4)


def test_awkward_sizes_are_drawn() -> None:
    target = load("row_softmax")
    sizes = {t.case.symbols["cols"] for seed in range(20) for t in held_out_trials(target, seed)}
    assert 1 in sizes
    assert any(size % 2 for size in sizes if size > 64)


def test_inputs_have_the_type_shape_and_scale_of_the_case() -> None:
    target = load("row_softmax")
    case = Case(symbols={"rows": 50, "cols": 40}, dtypes={"io": DType.FLOAT16}, scale=16.0)
    x = draw_inputs(target, case, 9)["x"]
    assert x.dtype == np.float16
    assert x.shape == (50, 40)
    assert 14 < x.astype(float).std() < 18


def test_poison_is_not_a_number_in_every_float_type() -> None:
    for dtype in (DType.FLOAT16, DType.FLOAT32, DType.FLOAT64):
        assert np.isnan(poisoned((3, 2), dtype)).all()
    assert (poisoned((2,), DType.INT32) == -1).all()


def test_symbols_are_passed_as_32_bit_integers_and_scalars_in_their_type() -> None:
    target = load("flash_attention")
    values = scalar_values(target, target.public_cases[0])
    assert values["seq"].dtype == np.int32
    assert values["scale"].dtype == np.float32


@pytest.mark.parametrize(
    ("symbols", "scale", "words"),
    [
        ({"rows": 0, "cols": 4}, 1.0, "domain"),
        ({"rows": 4}, 1.0, "exactly"),
        ({"rows": 4, "cols": 4}, 3.0, "scale"),
        ({"rows": 60000, "cols": 60000}, 1.0, "operations"),
    ],
)
def test_a_case_of_an_agent_outside_the_domain_is_refused_in_words(
    symbols: dict[str, int], scale: float, words: str
) -> None:
    case = Case(symbols=symbols, dtypes={"io": DType.FLOAT32}, scale=scale)
    reason = within_domain(load("row_softmax"), case)
    assert reason is not None
    assert words in reason


@pytest.mark.parametrize("name", library.builtin_names())
def test_large_cases_reach_the_timed_size_in_each_symbol_in_turn(name: str) -> None:
    target = load(name)
    ranged = [each for each, symbol in target.symbols.items() if symbol.choices is None]
    trials = large_trials(target, 4)
    assert len(trials) == len(ranged) + 1
    for symbol, trial in zip(ranged, trials, strict=False):
        assert trial.case.symbols[symbol] >= min(c.symbols[symbol] for c in target.timing_cases)
    for trial in trials:
        target.check_case(trial.case, "case")


@pytest.mark.parametrize("name", library.builtin_names())
def test_a_reduced_case_is_one_of_the_target_and_small(name: str) -> None:
    target = load(name)
    for trial in timed_trials(target, 1):
        smaller = reduced(target, trial)
        assert within_domain(target, smaller.case) is None
        assert smaller.seed == trial.seed


def test_an_empty_tensor_is_drawn_where_the_target_allows_it() -> None:
    target = load("row_softmax")
    rows = target.symbols["rows"].model_copy(update={"min": 0})
    empty = target.model_copy(update={"symbols": {**target.symbols, "rows": rows}})
    drawn = [t.case.symbols["rows"] for seed in range(20) for t in held_out_trials(empty, seed)]
    assert 0 in drawn


def test_a_case_to_repeat_is_small_for_the_kernel_where_one_can_be() -> None:
    target = load("row_softmax")

    def few(case: Case) -> bool:
        return case.symbols["rows"] <= 256

    any_size = [repeat_trial(target, seed, lambda _: True).case for seed in range(40)]
    assert not all(map(few, any_size))
    assert all(few(repeat_trial(target, seed, few).case) for seed in range(40))


def test_a_kernel_for_which_no_case_is_small_is_repeated_all_the_same() -> None:
    target = load("row_softmax")
    first = repeat_trial(target, 3, lambda _: True)
    assert repeat_trial(target, 3, lambda _: False).case == first.case
