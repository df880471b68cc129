"""The statistics of pairs, on times whose truth is known."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocm_pipeline.lab.devices.paired import FEWEST_PAIRS, Verdict, compare_pairs
from tests.scale import scaled

RUNS = scaled(short=400, long=4000)
PAIRS = 24
Noise = Callable[[np.random.Generator], np.ndarray]


def _normal(rng: np.random.Generator) -> np.ndarray:
    return 1 + 0.01 * rng.standard_normal((PAIRS, 2))


def _heavy_tail(rng: np.random.Generator) -> np.ndarray:
    return np.exp(0.01 * rng.standard_t(2, (PAIRS, 2)))


def _two_clocks(rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random((PAIRS, 2)) < 0.3, 1.2, 1.0) * _normal(rng)


def _drift(rng: np.random.Generator) -> np.ndarray:
    return _normal(rng) * np.linspace(1, 1.5, PAIRS)[:, None]


NOISES = (_normal, _heavy_tail, _two_clocks, _drift)
Record = Callable[[str, float], None]


def _verdicts(noise: Noise, ratio: float, seed: int) -> list[Verdict]:
    rng = np.random.default_rng(seed)
    runs = (noise(rng) * (100 * ratio, 100) for _ in range(RUNS))
    return [compare_pairs([(a, b) for a, b in run.tolist()]).verdict for run in runs]


@pytest.mark.parametrize("noise", NOISES)
def test_equal_kernels_are_inconclusive_in_95_of_100_runs(
    noise: Noise, record_figure: Record
) -> None:
    found = _verdicts(noise, 1.0, seed=1)
    share = found.count(Verdict.INCONCLUSIVE) / len(found)
    record_figure(f"paired: equal kernels inconclusive ({noise.__name__[1:]})", share)
    assert share >= 0.95


@pytest.mark.parametrize("noise", [_normal, _heavy_tail, _drift])
@pytest.mark.parametrize(("ratio", "truth"), [(1.05, Verdict.FASTER), (1 / 1.05, Verdict.SLOWER)])
def test_five_percent_are_found_in_one_percent_of_noise(
    noise: Noise, ratio: float, truth: Verdict, record_figure: Record
) -> None:
    found = _verdicts(noise, ratio, seed=2)
    share = found.count(truth) / len(found)
    record_figure(f"paired: 5 % found ({noise.__name__[1:]}, {truth.value})", share)
    assert share >= 0.95
    opposite = Verdict.SLOWER if truth is Verdict.FASTER else Verdict.FASTER
    assert opposite not in found


def test_what_always_runs_second_being_faster_is_no_difference() -> None:
    # the second run of each pair finds warm clocks: 4 % for whoever it is
    pairs = [(100, 96 + i % 3 / 10) if i % 2 == 0 else (96 + i % 3 / 10, 100) for i in range(24)]
    assert compare_pairs(pairs).verdict is Verdict.INCONCLUSIVE


def test_halves_that_disagree_are_inconclusive() -> None:
    pairs = [(100.0, 90.0)] * 19 + [(100.0, 101.0)] * 21
    assert compare_pairs(pairs[::-1]).verdict is Verdict.INCONCLUSIVE


def test_few_pairs_and_wild_pairs_say_why() -> None:
    few = compare_pairs([(2.0, 1.0)] * (FEWEST_PAIRS - 1))
    assert "fewer than" in few.reason
    wild = compare_pairs([(float(1 + i % 5), 1.0) for i in range(40)])
    assert "among themselves" in wild.reason
    tiny = compare_pairs([(100.2, 100.0)] * 40)
    assert "below 0.5%" in tiny.reason


@given(st.lists(st.tuples(st.floats(1e-3, 1e6), st.floats(1e-3, 1e6)), min_size=1, max_size=60))
def test_swapping_the_kernels_swaps_the_verdict(pairs: list[tuple[float, float]]) -> None:
    one = compare_pairs(pairs)
    other = compare_pairs([(b, a) for a, b in pairs])
    assert one.low <= one.speedup * (1 + 1e-12)
    assert one.speedup <= one.high * (1 + 1e-12)
    assert other.speedup == pytest.approx(1 / one.speedup)
    swapped = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}
    assert other.verdict is swapped.get(one.verdict, Verdict.INCONCLUSIVE)


@pytest.mark.parametrize("pairs", [[], [(1.0, 0.0)], [(-1.0, 1.0)], [(float("nan"), 1.0)]])
def test_what_is_no_time_is_refused(pairs: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="positive"):
        compare_pairs(pairs)
