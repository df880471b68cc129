"""Comparing outputs with the reference."""

import numpy as np
import pytest

from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.numerics import Comparison, compare
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.spec import Calibration, Tolerance

BY_HAND = Calibration(how="a test")
TOLERANCE = Tolerance(absolute=1e-6, relative=1e-5, calibration=BY_HAND)
REFERENCE = np.linspace(-3, 3, 12).reshape(3, 4)


def verdict(actual: Array, reference: Array = REFERENCE) -> Comparison:
    return compare("y", actual, reference, DType.FLOAT32, TOLERANCE)


def status(actual: Array) -> Status | None:
    finding = verdict(actual).finding
    return finding.status if finding else None


def test_rounding_to_the_type_is_within_the_tolerance() -> None:
    found = verdict(REFERENCE.astype(np.float32))
    assert found.finding is None
    assert found.worst_ratio is not None
    assert 0 < found.worst_ratio < 1


def test_an_error_just_above_the_tolerance_is_found_and_named() -> None:
    actual = REFERENCE.astype(np.float32)
    actual[2, 1] += np.float32(1e-3)
    found = verdict(actual)
    assert found.finding is not None
    assert found.finding.status is Status.WRONG_VALUE
    assert "1 of 12 elements" in found.finding.message
    assert "y[2, 1]" in found.finding.message


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_never_right(bad: float) -> None:
    actual = REFERENCE.astype(np.float32)
    actual[0, 3] = bad
    assert status(actual) is Status.NONFINITE


def test_a_wrong_shape_is_not_broadcast() -> None:
    assert status(REFERENCE.astype(np.float32)[:, :1]) is Status.WRONG_SHAPE
    assert status(REFERENCE.astype(np.float32).ravel()) is Status.WRONG_SHAPE


def test_a_wider_type_is_not_cast_before_the_comparison() -> None:
    assert status(REFERENCE) is Status.WRONG_DTYPE


def test_integers_must_be_equal() -> None:
    right = np.arange(5, dtype=np.int32)
    wrong = right.copy()
    wrong[3] = 9
    assert compare("i", right, right, DType.INT32, None).finding is None
    found = compare("i", wrong, right, DType.INT32, None).finding
    assert found is not None
    assert "i[3]: got 9, expected 3" in found.message


def test_zeros_do_not_pass_for_tiny_values() -> None:
    tiny = np.full((2, 2), 1e-5)
    tolerance = Tolerance(absolute=0, relative=1e-3, calibration=BY_HAND)
    found = compare("y", np.zeros((2, 2), np.float32), tiny, DType.FLOAT32, tolerance)
    assert found.finding is not None


def test_a_zero_tolerance_accepts_only_the_exact_value() -> None:
    tolerance = Tolerance(absolute=0, relative=0, calibration=BY_HAND)
    exact = np.array([0.0, 0.5])
    assert compare("y", exact.astype(np.float32), exact, DType.FLOAT32, tolerance).finding is None
    wrong = np.array([0.0, 0.5000001], dtype=np.float32)
    assert compare("y", wrong, exact, DType.FLOAT32, tolerance).finding is not None


def test_an_empty_output_has_nothing_wrong() -> None:
    empty = np.zeros((0, 4))
    assert verdict(empty.astype(np.float32), empty).worst_ratio == 0
