"""Comparing an output with the float64 reference."""

from dataclasses import dataclass

import numpy as np

from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.subject import Tolerance


@dataclass(frozen=True)
class Comparison:
    """The verdict on one output.

    `worst_ratio` is the largest error over what the tolerance allows at that element; it and
    `max_absolute_error` are None when the output cannot be compared (shape, type, not finite).
    """

    finding: Finding | None
    max_absolute_error: float | None = None
    worst_ratio: float | None = None


def compare(
    name: str,
    actual: Array,
    reference: Array,
    dtype: DType,
    tolerance: Tolerance | None,
    places: tuple[Array, ...] | None = None,
) -> Comparison:
    """Judge `actual` element by element; integers must be equal, floats within `tolerance`.

    Shape and type must be exactly those wanted: nothing is broadcast, cast or cut to the shorter.
    The reference is finite by contract, so an infinity or NaN in `actual` is always wrong; there
    is no wildcard, and one infinity does not equal another. `places` are the indices of the
    elements in their tensor where only some are judged.
    """
    if actual.shape != reference.shape:
        return _failed(
            Status.WRONG_SHAPE, name, f"{name} has shape {actual.shape}, not {reference.shape}"
        )
    if actual.dtype != dtype.numpy:
        return _failed(Status.WRONG_DTYPE, name, f"{name} is {actual.dtype}, not {dtype.value}")
    if not dtype.is_floating:
        return _compare_exact(name, actual, reference, places)
    if tolerance is None:
        raise ValueError(f"{name} is {dtype.value} and the target has no tolerance for it")
    wide = dtype.unpack(actual).astype(np.float64)
    unfinished = ~np.isfinite(wide)
    if unfinished.any():
        return _failed(Status.NONFINITE, name, _not_finite(name, wide, unfinished, places))
    error = np.abs(wide - reference)
    allowed = tolerance.absolute + tolerance.relative * np.abs(reference)
    return _judge(name, wide, reference, error, allowed, places)


def _judge(
    name: str,
    actual: Array,
    reference: Array,
    error: Array,
    allowed: Array,
    places: tuple[Array, ...] | None,
) -> Comparison:
    if error.size == 0:
        return Comparison(None, 0.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error == 0, 0.0, error / allowed)
    worst = int(np.argmax(ratio))
    largest, worst_ratio = float(error.max()), float(ratio.flat[worst])
    if worst_ratio <= 1:
        return Comparison(None, largest, worst_ratio)
    wrong = int((ratio > 1).sum())
    where = _index(worst, actual.shape, places)
    message = (
        f"{name}: {wrong} of {error.size} elements are wrong; the worst is {name}{where}: "
        f"got {actual.flat[worst]:.6g}, expected {reference.flat[worst]:.6g} "
        f"(error {error.flat[worst]:.3g}, allowed {allowed.flat[worst]:.3g})"
    )
    first = int(np.argmax(ratio > 1))
    if first != worst:
        message += f"; the first is {name}{_index(first, actual.shape, places)}"
    finding = Finding(status=Status.WRONG_VALUE, message=message, buffer=name)
    return Comparison(finding, largest, worst_ratio)


def _compare_exact(
    name: str, actual: Array, reference: Array, places: tuple[Array, ...] | None
) -> Comparison:
    different = actual != reference
    if not different.any():
        return Comparison(None, 0.0, 0.0)
    first = int(np.argmax(different))
    return _failed(
        Status.WRONG_VALUE,
        name,
        f"{name}: {int(different.sum())} of {actual.size} integers differ; the first is "
        f"{name}{_index(first, actual.shape, places)}: got {actual.flat[first]}, "
        f"expected {reference.flat[first]}",
    )


def _not_finite(
    name: str, actual: Array, unfinished: Array, places: tuple[Array, ...] | None
) -> str:
    first = int(np.argmax(unfinished))
    return (
        f"{name}: {int(unfinished.sum())} of {actual.size} elements are not finite; the first is "
        f"{name}{_index(first, actual.shape, places)} = {actual.flat[first]} "
        "(memory that was never written reads as nan)"
    )


def _index(flat: int, shape: tuple[int, ...], places: tuple[Array, ...] | None) -> str:
    index = [each[flat] for each in places] if places else np.unravel_index(flat, shape)
    return "[" + ", ".join(str(int(i)) for i in index) + "]"


def _failed(status: Status, name: str, message: str) -> Comparison:
    return Comparison(Finding(status=status, message=message, buffer=name))
