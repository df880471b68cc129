"""The comparator at its edges: just inside, just outside, nothing at all, and its words."""

import dataclasses

import numpy as np
import pytest

from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.numerics import Comparison, compare
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.spec import Calibration, Tolerance


def half(
    actual: Array, reference: Array, absolute: float = 0.5, relative: float = 0.0
) -> Comparison:
    tolerance = Tolerance(
        absolute=absolute, relative=relative, calibration=Calibration(how="a test")
    )
    return compare("y", actual.astype(np.float32), reference, DType.FLOAT32, tolerance)


def test_an_error_of_exactly_what_is_allowed_passes_and_the_next_number_does_not() -> None:
    edge = np.array([0.5])
    assert half(edge, np.zeros(1)) == Comparison(None, 0.5, 1.0)
    found = half(np.nextafter(edge.astype(np.float32), np.float32(1)), np.zeros(1))
    assert found.finding is not None
    assert found.finding.status is Status.WRONG_VALUE


def test_the_allowed_error_grows_with_the_reference() -> None:
    reference = np.array([100.0])
    assert half(reference + 10, reference, 0.0, 0.1).worst_ratio == 1.0
    assert half(reference + 10, reference, 0.0, 0.05).worst_ratio == pytest.approx(2.0)
    assert half(reference + 11, reference, 1.0, 0.1).worst_ratio == pytest.approx(1.0)


def test_the_worst_and_the_first_wrong_element_are_named_and_all_are_counted() -> None:
    wrong = half(np.array([[0, 0.5, 0.75], [0, 0, 9]]), np.zeros((2, 3)))
    assert wrong.finding is not None
    assert wrong.finding.buffer == "y"
    assert wrong.finding.message == (
        "y: 2 of 6 elements are wrong; the worst is y[1, 2]: got 9, expected 0 "
        "(error 9, allowed 0.5); the first is y[0, 2]"
    )
    assert (wrong.max_absolute_error, wrong.worst_ratio) == (9, 18)
    only = half(np.array([0.0, 9.0]), np.zeros(2)).finding
    assert only is not None
    assert "the first" not in only.message


def test_the_largest_error_and_the_worst_ratio_may_lie_at_different_elements() -> None:
    reference = np.array([100.0, 0.0])
    found = half(reference + np.array([10, 0.25]), reference, 0.5, 1.0)
    assert found == Comparison(None, 10.0, 0.5)


def test_integers_that_are_equal_have_no_error_and_others_are_counted() -> None:
    right = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert compare("i", right, right, DType.INT32, None) == Comparison(None, 0.0, 0.0)
    wrong = right.copy()
    wrong[1, 1:] = 0
    found = compare("i", wrong, right, DType.INT32, None)
    assert found.finding is not None
    assert found.finding.message == (
        "i: 2 of 6 integers differ; the first is i[1, 1]: got 0, expected 4"
    )
    assert found.worst_ratio is None


def test_what_cannot_be_compared_has_no_error() -> None:
    nan = half(np.array([[1.0, np.nan, np.inf]]), np.ones((1, 3)))
    assert nan.finding is not None
    assert nan.finding.message == (
        "y: 2 of 3 elements are not finite; the first is y[0, 1] = nan "
        "(memory that was never written reads as nan)"
    )
    assert (nan.max_absolute_error, nan.worst_ratio) == (None, None)


def test_an_output_of_no_elements_has_no_error() -> None:
    assert half(np.zeros((0, 3)), np.zeros((0, 3))) == Comparison(None, 0.0, 0.0)


def test_a_reference_that_is_not_finite_never_lets_anything_pass() -> None:
    for bad in (np.nan, np.inf):
        for tolerance in (0.0, 0.5):
            assert half(np.zeros(2), np.array([0.0, bad]), tolerance, tolerance).finding is not None


def test_a_floating_type_without_a_tolerance_is_not_judged() -> None:
    with pytest.raises(ValueError, match="y is float32 and the target has no tolerance"):
        compare("y", np.zeros(1, np.float32), np.zeros(1), DType.FLOAT32, None)


def test_a_verdict_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        half(np.zeros(1), np.zeros(1)).worst_ratio = 0.0  # pyright: ignore[reportAttributeAccessIssue]
