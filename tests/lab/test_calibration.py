"""Tolerances follow from what was measured; recorded calibrations hold against a small new one."""

from pathlib import Path

import pytest

from rocm_pipeline.lab.calibration import calibrate, round_up
from rocm_pipeline.lab.controls import ROOM
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets import library
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.subject import Calibration, Tolerance
from tests.scale import scaled

MOST = 2.0
"""A built-in tolerance over the one that its recorded calibration suggests."""
MOST_OVER_NEW = 3.0
"""The same over a new calibration, of a few draws."""


def over_suggested(tolerance: Tolerance, measured: Calibration) -> float:
    """Return how many times the suggested tolerance this one is."""
    assert measured.suggested_absolute
    assert measured.suggested_relative
    absolute = tolerance.absolute / measured.suggested_absolute
    return max(absolute, tolerance.relative / measured.suggested_relative)


@pytest.mark.parametrize("name", library.builtin_names())
def test_a_built_in_tolerance_is_little_wider_than_what_was_measured_to_be_needed(
    name: str,
) -> None:
    target = library.load(name, Path("/nonexistent"))
    written = {t.dtype for case in target.public_cases for t in target.tensors_for(case)}
    assert written <= set(target.tolerance)
    for dtype, tolerance in target.tolerance.items():
        recorded = tolerance.calibration
        assert over_suggested(tolerance, recorded) <= MOST, dtype
        assert recorded.worst_ratio is not None
        # the suggestion is the error that was measured, with room, and no other figure
        assert over_suggested(tolerance, recorded) == pytest.approx(
            1 / (ROOM * recorded.worst_ratio), rel=0.1
        )


@pytest.mark.parametrize("name", library.builtin_names())
def test_the_recorded_calibration_holds_against_a_new_one(
    sandbox: Sandbox, builds: Path, name: str
) -> None:
    target = library.load(name, Path("/nonexistent"))
    draws = scaled(short=6, long=24)
    found = calibrate(target, Harness(sandbox, builds), draws, seed=11)
    assert any(measured.worst_ratio for measured in found.values())
    for dtype, measured in found.items():
        recorded = target.tolerance[dtype].calibration
        assert recorded.draws > 0
        assert recorded.worst_ratio is not None
        assert measured.worst_ratio is not None
        assert measured.worst_ratio <= 2 * recorded.worst_ratio
        assert recorded.worst_ratio < 0.5
        assert over_suggested(target.tolerance[dtype], measured) <= MOST_OVER_NEW


def test_a_baseline_that_computes_in_float16_needs_a_wider_tolerance_than_recorded(
    sandbox: Sandbox, builds: Path
) -> None:
    target = library.load("row_softmax", Path("/nonexistent"))
    source = target.baseline.source
    rounded = source.replace("sum += expf(", "sum += (float)(__half)expf(")
    assert rounded != source
    poor = target.baseline.model_copy(update={"source": rounded})
    found = calibrate(
        target.model_copy(update={"baseline": poor}), Harness(sandbox, builds), 6, seed=2
    )
    recorded = target.tolerance[DType.FLOAT32].calibration.worst_ratio
    measured = found[DType.FLOAT32].worst_ratio
    assert recorded is not None
    assert measured is not None
    assert measured > 5 * recorded


def test_figures_are_rounded_away_from_zero() -> None:
    assert round_up(0.01234) == 0.013
    assert round_up(2.0e-5) == 2.0e-5
    assert round_up(0.0) == 0.0
