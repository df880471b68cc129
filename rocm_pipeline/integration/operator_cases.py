"""The calls that an operator is judged by: inputs, and what float64 says must come out."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from rocm_pipeline.integration.job import BadCall, Kind
from rocm_pipeline.lab.cases import draw_inputs, held_out_trials, public_trials
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.spec import BoundTensor, Case, Gradcheck, Target

HELD_OUT = 4
"""Held-out cases an operator runs on; its kernel has been through all of them before."""
_STEP = 1e-6
"""Of central differences in float64, in units of the input's largest magnitude."""
_OUTSIDE = (DType.FLOAT64, DType.INT64, DType.INT32, DType.UINT8)


@dataclass(frozen=True)
class OperatorCase:
    """One call. `outputs` and `gradients` (of the inputs, for `cotangents`) are float64."""

    id: str
    kind: Kind
    case: Case
    inputs: dict[str, Array]
    outputs: dict[str, Array]
    cotangents: dict[str, Array] = field(default_factory=dict)
    gradients: dict[str, Array] = field(default_factory=dict)


def operator_cases(target: Target, seed: int) -> list[OperatorCase]:
    """Draw every call for `target`: public, held-out, and small ones for gradients."""
    reference = Reference(target)
    rng = random.Random(seed)
    trials = [*public_trials(target, seed), *held_out_trials(target, seed)[:HELD_OUT]]
    cases: list[OperatorCase] = []
    for index, trial in enumerate(trials):
        kind = "public" if trial.origin == "public" else "held out"
        inputs = draw_inputs(target, trial.case, trial.seed)
        outputs = reference.outputs(trial.case, inputs)
        cases.append(OperatorCase(f"case{index}", kind, trial.case, inputs, outputs))
    for index, case in enumerate(gradient_cases(target)):
        cases.append(_gradient_case(f"gradient{index}", target, case, reference, rng))
    return cases


def gradient_cases(target: Target) -> list[Case]:
    """Return the target's gradcheck case in each combination of floating-point types."""
    pytorch = target.pytorch
    if pytorch.backward is None or pytorch.gradcheck is None:
        return []
    choices = product(*target.dtypes.values())
    return [
        _as_case(pytorch.gradcheck, dict(zip(target.dtypes, each, strict=True))) for each in choices
    ]


def bad_calls(target: Target) -> tuple[BadCall, ...]:
    """Return calls of the first public case that no operator may answer."""
    case = target.public_cases[0]
    inputs = [t for t in target.tensors_for(case) if t.name in target.inputs]
    calls: list[BadCall] = []
    for tensor in inputs:
        calls += [_too_few_dimensions(tensor), _wrong_type(target, tensor)]
    calls += [
        _call(t, f"{t.name} of another size", shape=s) for t, s in _disagreeing(target, inputs)
    ]
    return tuple(calls)


def _as_case(gradcheck: Gradcheck, dtypes: dict[str, DType]) -> Case:
    return Case(symbols=gradcheck.symbols, dtypes=dtypes, scalars=gradcheck.scalars)


def _gradient_case(
    id: str, target: Target, case: Case, reference: Reference, rng: random.Random
) -> OperatorCase:
    inputs = draw_inputs(target, case, rng.getrandbits(63))
    outputs = reference.outputs(case, inputs)
    draw = np.random.default_rng(rng.getrandbits(63))
    cotangents = {
        tensor.name: draw.standard_normal(tensor.shape).astype(tensor.dtype.numpy)
        for tensor in target.tensors_for(case)
        if tensor.name in outputs and tensor.dtype.is_floating
    }
    gradients = reference_gradients(reference, case, inputs, cotangents)
    return OperatorCase(id, "gradient", case, inputs, outputs, cotangents, gradients)


def reference_gradients(
    reference: Reference,
    case: Case,
    inputs: Mapping[str, Array],
    cotangents: Mapping[str, Array],
) -> dict[str, Array]:
    """Return d(sum of cotangent * output)/d(input) by central differences in float64."""
    wide: dict[str, Array] = {
        name: array.astype(np.float64) if array.dtype.kind == "f" else array
        for name, array in inputs.items()
    }

    def value() -> float:
        outputs = reference.outputs(case, wide)
        return float(sum((outputs[n] * c.astype(np.float64)).sum() for n, c in cotangents.items()))

    found: dict[str, Array] = {}
    for name, array in wide.items():
        if array.dtype.kind != "f":
            continue
        step = _STEP * max(1.0, float(np.abs(array).max(initial=0.0)))
        gradient = np.zeros(array.shape)
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + step
            above = value()
            array[place] = kept - step
            gradient[place] = (above - value()) / (2 * step)
            array[place] = kept
        found[name] = gradient
    return found


def _call(
    tensor: BoundTensor,
    what: str,
    *,
    shape: tuple[int, ...] | None = None,
    dtype: DType | None = None,
) -> BadCall:
    return BadCall(
        what=what,
        tensor=tensor.name,
        shape=tensor.shape if shape is None else shape,
        dtype=(dtype or tensor.dtype).value,
    )


def _too_few_dimensions(tensor: BoundTensor) -> BadCall:
    return _call(tensor, f"{tensor.name} with a dimension too few", shape=tensor.shape[1:])


def _wrong_type(target: Target, tensor: BoundTensor) -> BadCall:
    declared = target.tensors[tensor.name].dtype
    known = target.dtypes.get(declared, (tensor.dtype,))
    other = next(dtype for dtype in _OUTSIDE if dtype not in known)
    return _call(tensor, f"{tensor.name} as {other.value}", dtype=other)


def _disagreeing(
    target: Target, inputs: list[BoundTensor]
) -> list[tuple[BoundTensor, tuple[int, ...]]]:
    """Return inputs with one dimension changed that another dimension or a number fixes."""
    seen: set[str] = set()
    found: list[tuple[BoundTensor, tuple[int, ...]]] = []
    for tensor in inputs:
        for axis, text in enumerate(target.tensors[tensor.name].shape):
            if text in target.symbols and text not in seen:
                seen.add(text)
                continue
            shape = list(tensor.shape)
            shape[axis] += 1
            found.append((tensor, tuple(shape)))
    return found
