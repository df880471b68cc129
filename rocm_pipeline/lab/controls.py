"""Trivial kernels that must fail.

A target on which zeros, a copy of an input, a constant, the mean, memory left alone or a less
precise type passes judges nothing (KernelBench: zeros pass 4 of 60 tasks whose outputs are tiny),
so they run on every target.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.cases import draw_inputs, poisoned
from rocm_pipeline.lab.evidence import ControlRecord, Status
from rocm_pipeline.lab.numerics import compare
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.spec import BoundTensor, Case, Role, Target, Tolerance

LOW_PRECISION = "low precision"
_LOW_BITS = 10
"""Bits of a fraction in float16 and TF32; the control keeps the exponents of the wider type."""
_WIDE = (DType.FLOAT32, DType.FLOAT64)
ROOM = 4.0
"""A suggested tolerance over the worst honest error: other honest kernels add in other orders."""
_ROUNDINGS = 4
"""Roundings of the output's type that any honest implementation is granted at least."""


@dataclass(frozen=True)
class _Question:
    """One public case with its right answer."""

    case: Case
    tensors: tuple[BoundTensor, ...]
    """Outputs."""
    inputs: Mapping[str, Array]
    expected: Mapping[str, Array]
    lowered: Mapping[str, Array]
    """The reference of inputs rounded to `_LOW_BITS`; empty where the control does not apply."""


@dataclass(frozen=True)
class _Control:
    """A trivial kernel; outputs for which its answer may be the right one are left out."""

    answer: Callable[[BoundTensor, _Question], Array]
    applies: Callable[[BoundTensor], bool] = lambda _tensor: True


@dataclass(frozen=True)
class _Worst:
    """How wrong a control was on one output in one element type, over all cases."""

    output: str
    dtype: DType
    status: Status
    ratio: float
    """Largest error over the tolerance; infinite when it could not be compared."""


@dataclass(frozen=True)
class _Judged:
    """A control on every output and element type; all of them must reject it."""

    name: str
    worst: tuple[_Worst, ...]

    @property
    def passed(self) -> tuple[_Worst, ...]:
        return tuple(each for each in self.worst if each.status is Status.PASSED)

    @property
    def record(self) -> ControlRecord:
        rejected = bool(self.worst) and not self.passed
        status = self.worst[0].status if rejected else Status.PASSED
        return ControlRecord(name=self.name, rejected=rejected, status=status)


def controls_of(target: Target) -> tuple[str, ...]:
    """Return the names of the controls that apply to `target`, in the order they run."""
    tensors = [t for case in _cases(target) for t in _outputs(target, case)]
    return tuple(
        name
        for name, control in _controls(target).items()
        if any(control.applies(tensor) for tensor in tensors)
    )


def run_controls(target: Target, reference: Reference, seed: int) -> tuple[ControlRecord, ...]:
    """Judge every control on the public cases.

    A control is rejected when, for each output and each of its element types, a case rejects it.
    """
    return tuple(judged.record for judged in _run(target, reference, seed))


def require_sound(target: Target) -> None:
    """Refuse a target that cannot judge: a reference that fails, or a trivial kernel that passes.

    Takes milliseconds, so that it can be asked before anything is started.
    """
    reference = Reference(target)
    case = target.public_cases[0]
    reference.require_agreement(case, draw_inputs(target, case, 0))
    require_controls(target, run_controls(target, reference, seed=0))


def require_controls(target: Target, controls: tuple[ControlRecord, ...]) -> None:
    """Refuse a target that a trivial kernel passes, and suggest a tolerance that rejects it.

    One that no control was run on is refused too: nothing shows that it rejects anything.
    """
    if not controls:
        raise UserError(
            "no control applies to it, so nothing shows that a wrong kernel is rejected",
            where=f"outputs of target {target.name}",
            fix="Give it an output and a public case with at least one element.",
        )
    passed = [control.name for control in controls if not control.rejected]
    if passed:
        raise UserError(
            f"the control '{passed[0]}' passes every public case",
            where=f"tolerance of target {target.name}",
            fix=_suggestion(target, passed[0]),
        )


def _controls(target: Target) -> dict[str, _Control]:
    copies = {f"copy of {name}": _Control(_copy(name)) for name in target.inputs}
    # a kernel that reads no floating-point values may be exact in any type
    reads = any(
        dtype.is_floating
        for case in _cases(target)
        for name in target.inputs
        for dtype in (target.dtype_of(target.tensors[name].dtype, case),)
    )
    return {
        "zeros": _Control(_constant(0.0)),
        "ones": _Control(_constant(1.0)),
        **copies,
        "no-op": _Control(_no_op),
        "mean": _Control(_mean, lambda tensor: int(np.prod(tensor.shape)) > 1),
        "mean of each row": _Control(_row_mean, lambda tensor: _row(tensor) > 1),
        LOW_PRECISION: _Control(_low_precision, lambda t: reads and t.dtype in _WIDE),
    }


def _cases(target: Target) -> tuple[Case, ...]:
    """The public cases, and one more for each combination of types that none of them has."""
    cases = list(target.public_cases)
    for case in target.kernel_variants():
        if all(case.dtypes != known.dtypes for known in cases):
            cases.append(case)
    return tuple(cases)


def _outputs(target: Target, case: Case) -> tuple[BoundTensor, ...]:
    return tuple(t for t in target.tensors_for(case) if t.role is not Role.INPUT)


def _run(target: Target, reference: Reference, seed: int) -> Iterator[_Judged]:
    names = controls_of(target)
    questions = [
        _question(target, reference, case, seed, LOW_PRECISION in names) for case in _cases(target)
    ]
    controls = _controls(target)
    for name in names:
        yield _judge(name, controls[name], target, questions)


def _question(
    target: Target, reference: Reference, case: Case, seed: int, with_lowered: bool
) -> _Question:
    inputs = draw_inputs(target, case, seed)
    lowered: dict[str, Array] = {}
    if with_lowered:
        rounded = {
            name: low_precision(array) if array.dtype.kind == "f" else array
            for name, array in inputs.items()
        }
        lowered = reference.outputs(case, rounded)
    return _Question(case, _outputs(target, case), inputs, reference.outputs(case, inputs), lowered)


def _judge(name: str, control: _Control, target: Target, questions: Sequence[_Question]) -> _Judged:
    worst: dict[tuple[str, DType], _Worst] = {}
    for question in questions:
        for tensor in question.tensors:
            if control.applies(tensor):
                found = _compare(control, tensor, question, target.tolerance.get(tensor.dtype))
                known = worst.get((tensor.name, tensor.dtype))
                if known is None or found.ratio > known.ratio:
                    worst[tensor.name, tensor.dtype] = found
    return _Judged(name, tuple(worst.values()))


def _compare(
    control: _Control, tensor: BoundTensor, question: _Question, tolerance: Tolerance | None
) -> _Worst:
    given, expected = control.answer(tensor, question), question.expected[tensor.name]
    verdict = compare(tensor.name, given, expected, tensor.dtype, tolerance)
    status = verdict.finding.status if verdict.finding else Status.PASSED
    ratio = verdict.worst_ratio
    if ratio is None:
        ratio = float("inf")
    return _Worst(tensor.name, tensor.dtype, status, ratio)


def _suggestion(target: Target, control: str) -> str:
    """Say which tolerance rejects `control` and leaves an honest kernel room, or what to change."""
    reference = Reference(target)
    judged = next(each for each in _run(target, reference, 0) if each.name == control)
    for passed in judged.passed:
        tolerance = target.tolerance.get(passed.dtype)
        if tolerance is None:
            continue
        honest = _honest_ratio(target, passed.dtype, tolerance, reference)
        if 2 * honest < passed.ratio:
            factor = (honest * passed.ratio) ** 0.5
            return (
                f"Tighten {passed.dtype.value} to absolute: {tolerance.absolute * factor:.1e}, "
                f"relative: {tolerance.relative * factor:.1e}, then measure it with "
                f"`rocm-pipeline targets calibrate {target.name}`."
            )
    case = target.public_cases[0].name
    return (
        f"No tolerance tells it from an honest kernel: change public_cases[0] ({case}) so that "
        "the outputs differ from it, with more elements or another scale."
    )


def _honest_ratio(
    target: Target, dtype: DType, tolerance: Tolerance, reference: Reference
) -> float:
    """Return the error to grant an honest kernel, in units of the tolerance, on the public cases.

    That is what was measured, or else some roundings of the output's type.
    """
    measured = tolerance.calibration
    if measured.suggested_absolute and tolerance.absolute:
        return measured.suggested_absolute / ROOM / tolerance.absolute
    if measured.suggested_relative and tolerance.relative:
        return measured.suggested_relative / ROOM / tolerance.relative
    worst = 0.0
    for case in _cases(target):
        expected = reference.outputs(case, draw_inputs(target, case, 0))
        for tensor in target.tensors_for(case):
            if tensor.dtype is not dtype or tensor.name not in expected:
                continue
            right = expected[tensor.name]
            verdict = compare(tensor.name, right.astype(dtype.numpy), right, dtype, tolerance)
            worst = max(worst, verdict.worst_ratio or 0.0)
    return _ROUNDINGS * worst


def low_precision(array: Array) -> Array:
    """Return a float array rounded to the fraction of float16, with its own range and type."""
    fraction, exponent = np.frexp(array)
    scale = 2.0 ** (_LOW_BITS + 1)
    return np.ldexp(np.rint(fraction * scale) / scale, exponent).astype(array.dtype)


def _row(tensor: BoundTensor) -> int:
    return tensor.shape[-1] if int(np.prod(tensor.shape)) > tensor.shape[-1] else 0


def _cast(values: Array, tensor: BoundTensor) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.resize(values, tensor.shape).astype(tensor.dtype.numpy)


def _constant(value: float) -> Callable[[BoundTensor, _Question], Array]:
    return lambda tensor, _question: np.full(tensor.shape, value).astype(tensor.dtype.numpy)


def _copy(name: str) -> Callable[[BoundTensor, _Question], Array]:
    return lambda tensor, question: _cast(question.inputs[name].ravel(), tensor)


def _no_op(tensor: BoundTensor, question: _Question) -> Array:
    inputs = question.inputs
    return inputs[tensor.name] if tensor.name in inputs else poisoned(tensor.shape, tensor.dtype)


def _mean(tensor: BoundTensor, question: _Question) -> Array:
    expected = question.expected[tensor.name]
    return _cast(np.array([expected.mean() if expected.size else 0.0]), tensor)


def _row_mean(tensor: BoundTensor, question: _Question) -> Array:
    expected = question.expected[tensor.name]
    if not expected.size:
        return _cast(np.zeros(1), tensor)
    mean = expected.mean(axis=-1, keepdims=True)
    return np.broadcast_to(mean, tensor.shape).astype(tensor.dtype.numpy)


def _low_precision(tensor: BoundTensor, question: _Question) -> Array:
    """What a kernel gives that computes in a type with float16's fraction."""
    return low_precision(question.lowered[tensor.name]).astype(tensor.dtype.numpy)
