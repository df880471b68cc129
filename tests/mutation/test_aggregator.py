"""Speed-ups are put together over complete cases only; a gap gives no score, and never 1."""

import math
from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.lab.evidence import Estimate, Evidence, Speedup, Status
from rocm_pipeline.lab.ranking import covers, mean_speedup, score
from rocm_pipeline.lab.roofline import speedup
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Case

TARGET = library.load("row_softmax", Path("no user targets"))
FIRST, SECOND = TARGET.timing_cases


def ratio(low: float, high: float, architecture: str = "gfx90a", case: Case = FIRST) -> Speedup:
    return Speedup.model_construct(architecture=architecture, case=case, low=low, high=high)


def estimate(
    low: float = 1.0,
    high: float = 2.0,
    architecture: str = "gfx90a",
    case: Case = FIRST,
    bottleneck: str = "L2",
) -> Estimate:
    return Estimate(
        architecture=architecture,
        case=case,
        low_microseconds=low,
        high_microseconds=high,
        bottleneck=bottleneck,
        terms={},
    )


def evidence(*speedups: Speedup, estimates: int = 2, **changes: Any) -> Evidence:
    """Return evidence with its rules left aside: consumers must not rest on them."""
    known = (estimate(case=FIRST), estimate(case=SECOND))[:estimates]
    fields: dict[str, Any] = {"status": Status.PASSED, "speedups": speedups, "estimates": known}
    return Evidence.model_construct(**{**fields, **changes})


WHOLE = (ratio(2, 8), ratio(8, 32, case=SECOND))


def test_the_mean_is_geometric_over_each_end() -> None:
    assert mean_speedup(evidence(*WHOLE)) == pytest.approx((4, 16))
    assert score(evidence(*WHOLE)) == pytest.approx(8)
    assert mean_speedup(evidence(ratio(1, 1), estimates=1)) == pytest.approx((1, 1))


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.PASSED])
def test_only_a_pass_has_a_score(status: Status) -> None:
    assert score(evidence(*WHOLE, status=status)) is None
    assert mean_speedup(evidence(*WHOLE, status=status)) is None


@pytest.mark.parametrize(
    "speedups",
    [
        (),
        WHOLE[:1],
        WHOLE[1:],
        (WHOLE[0], WHOLE[0]),
        (*WHOLE, WHOLE[0]),
        (WHOLE[0], ratio(2, 2, "gfx942", SECOND)),
        (*WHOLE, ratio(2, 2, "gfx942")),
    ],
)
def test_a_gap_or_a_stranger_gives_no_score(speedups: tuple[Speedup, ...]) -> None:
    assert not covers(speedups, evidence(*WHOLE).estimates)
    assert score(evidence(*speedups)) is None


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0.0, 1.0),
        (-1.0, 1.0),
        (-2.0, -1.0),
        (0.0, 0.0),
        (2.0, 1.0),
        (1.0, math.inf),
        (math.nan, 1.0),
        (1.0, math.nan),
        (math.nan, math.nan),
        (math.inf, math.inf),
    ],
)
def test_a_meaningless_figure_gives_no_score(low: float, high: float) -> None:
    assert score(evidence(ratio(2, 3), ratio(low, high, case=SECOND))) is None


def test_no_estimate_gives_no_score() -> None:
    assert not covers((), ())
    assert score(evidence(estimates=0)) is None
    assert score(evidence(*WHOLE, estimates=0)) is None


def test_one_limit_on_both_sides_compares_like_ends() -> None:
    found = speedup(estimate(8, 20), estimate(2, 10))
    assert (found.low, found.high) == (2, 4)
    assert (found.architecture, found.case) == ("gfx90a", FIRST)


def test_different_limits_cross_the_ends() -> None:
    found = speedup(estimate(8, 20), estimate(2, 10, bottleneck="L1"))
    assert (found.low, found.high) == (0.8, 10)


def test_cases_or_architectures_that_differ_are_not_compared() -> None:
    for other in (estimate(case=SECOND), estimate(architecture="gfx942")):
        with pytest.raises(ValueError, match="compares one case on one architecture"):
            speedup(estimate(), other)
