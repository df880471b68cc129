"""Trivial kernels that must fail.

A target on which zeros, a copy of an input, a constant, the mean, memory left alone or a less
precise type passes judges nothing (KernelBench: zeros pass 4 of 60 tasks whose outputs are tiny),
so they run on every target.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.cases import draw_inputs, poisoned
from rocm_pipeline.lab.evidence import ControlRecord, Status
from rocm_pipeline.lab.numerics import compare
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.subject import BoundTensor, Case, Role, Subject, Tolerance


class ControlPassedError(UserError):
    """A trivial kernel passes every case, so that a pass of another would say nothing."""


LOW_PRECISION = "low precision"
_LOW_BITS = 10
"""Bits of a fraction in float16 and TF32; the control keeps the exponents of the wider type."""
_WIDE = (DType.FLOAT32, DType.FLOAT64)
ROOM = 4.0
"""A suggested tolerance over the worst honest error: other honest kernels add in other orders."""
_DRAWS = 4
"""Times that inputs are drawn while a control passes: an output of one element may be right by
luck, as the sum of 1,000 numbers is in one of a hundred draws at low precision."""
_ROUNDINGS = 4
"""Roundings of the output's type that any honest implementation is granted at least."""


@dataclass(frozen=True)
class _Question:
    """One public case with its right answer."""

    case: Case
    tensors: tuple[BoundTensor, ...]
    """Outputs."""
    inputs: Mapping[str, Array]
    values: Mapping[str, Array]
    """The inputs as numbers."""
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
    is_the_answer: bool
    """Whether it is the right answer itself, and not only within the tolerance of it."""


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


def controls_of(target: Subject) -> tuple[str, ...]:
    """Return the names of the controls that apply to `target`, in the order they run."""
    tensors = [t for case in _cases(target) for t in _outputs(target, case)]
    return tuple(
        name
        for name, control in _controls(target).items()
        if any(control.applies(tensor) for tensor in tensors)
    )


def required_controls(target: Subject, ran: Sequence[ControlRecord]) -> tuple[str, ...]:
    """Return the names of the controls that evidence must show rejected, of those that `ran`.

    Where the task may be trivial, a control that is the task itself is not among them.
    """
    names = controls_of(target)
    if not target.may_be_trivial:
        return names
    judged = {control.name for control in ran}
    return tuple(name for name in names if name in judged)


def run_controls(target: Subject, reference: Reference, seed: int) -> tuple[ControlRecord, ...]:
    """Judge every control on the public cases.

    A control is rejected when, for each output and each of its element types, a case rejects it,
    in one of a few draws of their inputs.
    """
    return tuple(judged.record for judged in _run(target, reference, seed))


def require_sound(target: Subject) -> None:
    """Refuse a target that cannot judge: a reference that fails, or a trivial kernel that passes.

    Takes milliseconds, so that it can be asked before anything is started.
    """
    reference = Reference(target)
    case = target.public_cases[0]
    reference.require_agreement(case, draw_inputs(target, case, 0))
    require_controls(target, run_controls(target, reference, seed=0))


def require_controls(target: Subject, controls: tuple[ControlRecord, ...]) -> None:
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
        raise ControlPassedError(
            f"the control '{passed[0]}' passes every public case",
            where=f"tolerance of target {target.name}",
            fix=_suggestion(target, passed[0]),
        )


def _controls(target: Subject) -> dict[str, _Control]:
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


def _cases(target: Subject) -> tuple[Case, ...]:
    """The public cases, and one more for each combination of types that none of them has."""
    cases = list(target.public_cases)
    for case in target.kernel_variants():
        if all(case.dtypes != known.dtypes for known in cases):
            cases.append(case)
    return tuple(cases)


def _outputs(target: Subject, case: Case) -> tuple[BoundTensor, ...]:
    return tuple(t for t in target.tensors_for(case) if t.role is not Role.INPUT)


def _run(target: Subject, reference: Reference, seed: int) -> tuple[_Judged, ...]:
    names = controls_of(target)
    controls = _controls(target)
    questions: list[_Question] = []
    judged: list[_Judged] = []
    for draw in range(_DRAWS):
        questions += [
            _question(target, reference, case, seed + draw, LOW_PRECISION in names)
            for case in _cases(target)
        ]
        judged = [_judge(name, controls[name], target, questions) for name in names]
        if not any(each.passed for each in judged):
            break
    return tuple(each for each in judged if each.worst)


def _question(
    target: Subject, reference: Reference, case: Case, seed: int, with_lowered: bool
) -> _Question:
    inputs = draw_inputs(target, case, seed)
    tensors = target.tensors_for(case)
    lowered: dict[str, Array] = {}
    if with_lowered:
        rounded = lowered_inputs(tensors, inputs)
        lowered = reference.outputs(case, rounded)
    values = {t.name: t.dtype.unpack(inputs[t.name]) for t in tensors if t.name in inputs}
    expected = reference.outputs(case, inputs)
    return _Question(case, _outputs(target, case), inputs, values, expected, lowered)


def _judge(
    name: str, control: _Control, target: Subject, questions: Sequence[_Question]
) -> _Judged:
    worst: dict[tuple[str, DType], _Worst] = {}
    for question in questions:
        for tensor in question.tensors:
            if control.applies(tensor):
                tolerance = target.tolerance_for(question.case).get(tensor.dtype)
                found = _compare(control, tensor, question, tolerance)
                known = worst.get((tensor.name, tensor.dtype))
                if known is None or found.ratio > known.ratio:
                    worst[tensor.name, tensor.dtype] = found
    found = worst.values()
    if target.may_be_trivial:
        return _Judged(name, tuple(each for each in found if not each.is_the_answer))
    return _Judged(name, tuple(found))


def _compare(
    control: _Control, tensor: BoundTensor, question: _Question, tolerance: Tolerance | None
) -> _Worst:
    given, expected = control.answer(tensor, question), question.expected[tensor.name]
    verdict = compare(tensor.name, given, expected, tensor.dtype, tolerance)
    status = verdict.finding.status if verdict.finding else Status.PASSED
    ratio = verdict.worst_ratio
    if ratio is None:
        ratio = float("inf")
    dtype = tensor.dtype
    same = np.array_equal(dtype.unpack(given), dtype.unpack(dtype.pack(expected)))
    return _Worst(tensor.name, dtype, status, ratio, same)


def _suggestion(target: Subject, control: str) -> str:
    """Say which tolerance rejects `control` and leaves an honest kernel room, or what to change."""
    reference = Reference(target)
    judged = next(each for each in _run(target, reference, 0) if each.name == control)
    for passed in judged.passed:
        tolerance = target.tolerance_for(target.public_cases[0]).get(passed.dtype)
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
    target: Subject, dtype: DType, tolerance: Tolerance, reference: Reference
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
            verdict = compare(tensor.name, dtype.pack(right), right, dtype, tolerance)
            worst = max(worst, verdict.worst_ratio or 0.0)
    return _ROUNDINGS * worst


def lowered_inputs(tensors: Sequence[BoundTensor], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the inputs as a kernel sees them that computes in a type with float16's fraction."""
    return {
        tensor.name: low_precision(inputs[tensor.name])
        if tensor.dtype in _WIDE
        else inputs[tensor.name]
        for tensor in tensors
        if tensor.name in inputs
    }


def low_precision(array: Array) -> Array:
    """Return a float array rounded to the fraction of float16, with its own range and type."""
    fraction, exponent = np.frexp(array)
    scale = 2.0 ** (_LOW_BITS + 1)
    return np.ldexp(np.rint(fraction * scale) / scale, exponent).astype(array.dtype)


def _row(tensor: BoundTensor) -> int:
    return tensor.shape[-1] if int(np.prod(tensor.shape)) > tensor.shape[-1] else 0


def _cast(values: Array, tensor: BoundTensor) -> Array:
    return tensor.dtype.pack(np.resize(values, tensor.shape))


def _full(tensor: BoundTensor, value: float) -> Array:
    return tensor.dtype.pack(np.full(tensor.shape, value))


def _constant(value: float) -> Callable[[BoundTensor, _Question], Array]:
    return lambda tensor, _question: _full(tensor, value)


def _copy(name: str) -> Callable[[BoundTensor, _Question], Array]:
    return lambda tensor, question: _cast(question.values[name].ravel(), tensor)


def _no_op(tensor: BoundTensor, question: _Question) -> Array:
    inputs = question.inputs
    return inputs[tensor.name] if tensor.name in inputs else poisoned(tensor.shape, tensor.dtype)


def _mean(tensor: BoundTensor, question: _Question) -> Array:
    expected = question.expected[tensor.name]
    return _full(tensor, expected.mean() if expected.size else 0.0)


def _row_mean(tensor: BoundTensor, question: _Question) -> Array:
    expected = question.expected[tensor.name]
    if not expected.size:
        return tensor.dtype.pack(expected)
    mean = expected.mean(axis=-1, keepdims=True)
    return tensor.dtype.pack(np.broadcast_to(mean, tensor.shape))


def _low_precision(tensor: BoundTensor, question: _Question) -> Array:
    """What a kernel gives that computes in a type with float16's fraction."""
    return tensor.dtype.pack(low_precision(question.lowered[tensor.name]))
