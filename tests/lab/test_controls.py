"""Trivial kernels on every target, and what is said about a target that lets one pass."""

from pathlib import Path

import numpy as np
import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.controls import controls_of, low_precision, require_sound, run_controls
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.targets import library
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Target


def loose(target: Target, factor: float) -> Target:
    """Widen the tolerance of float32."""
    tolerance = {
        dtype: each.model_copy(
            update={"absolute": each.absolute * factor, "relative": each.relative * factor}
        )
        for dtype, each in target.tolerance.items()
        if dtype is DType.FLOAT32
    }
    return target.model_copy(update={"tolerance": {**target.tolerance, **tolerance}})


@pytest.mark.parametrize("name", library.builtin_names())
def test_every_control_is_rejected_on_the_built_in_targets(name: str) -> None:
    target = library.load(name, Path("/nonexistent"))
    records = run_controls(target, Reference(target), seed=3)
    assert tuple(record.name for record in records) == controls_of(target)
    assert all(record.rejected for record in records)
    assert {"zeros", "ones", "no-op", "mean", "low precision"} <= set(controls_of(target))
    assert all(f"copy of {tensor}" in controls_of(target) for tensor in target.inputs)


def test_float16_in_a_float32_operator_is_refused_with_a_tolerance_that_would_reject_it() -> None:
    target = loose(library.load("row_softmax", Path("/nonexistent")), 1000)
    with pytest.raises(UserError, match="low precision") as refused:
        require_sound(target)
    assert "Tighten float32 to absolute: " in str(refused.value)


def test_the_suggested_tolerance_is_accepted() -> None:
    target = loose(library.load("row_softmax", Path("/nonexistent")), 1000)
    with pytest.raises(UserError) as refused:
        require_sound(target)
    words = str(refused.value).replace(",", "").split()
    absolute, relative = (float(words[words.index(f"{k}:") + 1]) for k in ("absolute", "relative"))
    update = {"absolute": absolute, "relative": relative}
    tightened = target.tolerance[DType.FLOAT32].model_copy(update=update)
    require_sound(
        target.model_copy(update={"tolerance": {**target.tolerance, DType.FLOAT32: tightened}})
    )


def test_a_tolerance_is_judged_for_each_type_by_itself() -> None:
    """Zeros pass for float16 only; that float32 rejects them does not help."""
    target = library.load("row_softmax", Path("/nonexistent"))
    wide = target.tolerance[DType.FLOAT16].model_copy(update={"absolute": 2.0})
    with pytest.raises(UserError, match="'zeros' passes"):
        require_sound(
            target.model_copy(update={"tolerance": {**target.tolerance, DType.FLOAT16: wide}})
        )


def test_low_precision_keeps_the_range_and_drops_the_fraction() -> None:
    values = np.array([1.0 + 2**-10, 1.0 + 2**-12, 3e30, -1e-30, 0.0], dtype=np.float32)
    rounded = low_precision(values)
    assert rounded.dtype == np.float32
    assert rounded[0] == values[0]
    assert rounded[1] == 1.0
    assert np.allclose(rounded, values, rtol=2**-11)


def test_a_reference_of_chosen_elements_that_differs_is_refused() -> None:
    target = library.load("row_softmax", Path("/nonexistent"))
    text = target.reference.replace('inputs["x"][needed]', '(1.01 * inputs["x"][needed])')
    assert text != target.reference
    with pytest.raises(UserError, match="other values"):
        require_sound(target.model_copy(update={"reference": text}))
