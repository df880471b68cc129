"""Trivial kernels that must fail.

A target on which zeros, a copy of an input, a constant or memory left alone passes judges nothing
(KernelBench: zeros pass 4 of 60 tasks whose outputs are tiny), so they run on every target.
"""

from collections.abc import Callable, Mapping

import numpy as np

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.cases import draw_inputs, poisoned
from rocm_pipeline.lab.evidence import ControlRecord, Status
from rocm_pipeline.lab.numerics import compare
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.spec import BoundTensor, Target

_Control = Callable[[BoundTensor, Mapping[str, Array], Array], Array]


def _zeros(tensor: BoundTensor, _inputs: Mapping[str, Array], _reference: Array) -> Array:
    return np.zeros(tensor.shape, tensor.dtype.numpy)


def _copy(tensor: BoundTensor, inputs: Mapping[str, Array], _reference: Array) -> Array:
    source = next(iter(inputs.values())).ravel() if inputs else np.zeros(1)
    return np.resize(source, tensor.shape).astype(tensor.dtype.numpy)


def _no_op(tensor: BoundTensor, inputs: Mapping[str, Array], _reference: Array) -> Array:
    return inputs[tensor.name] if tensor.name in inputs else poisoned(tensor.shape, tensor.dtype)


def _mean(tensor: BoundTensor, _inputs: Mapping[str, Array], reference: Array) -> Array:
    mean = reference.mean() if reference.size else 0.0
    return np.full(tensor.shape, mean).astype(tensor.dtype.numpy)


CONTROLS: dict[str, _Control] = {"zeros": _zeros, "copy": _copy, "no-op": _no_op, "mean": _mean}


def run_controls(target: Target, reference: Reference, seed: int) -> tuple[ControlRecord, ...]:
    """Judge every control on every public case; a control is rejected when any case rejects it."""
    return tuple(_run(name, target, reference, seed) for name in CONTROLS)


def require_sound(target: Target) -> None:
    """Refuse a target that cannot judge: a reference that fails, or a trivial kernel that passes.

    Takes milliseconds, so that it can be asked before anything is started.
    """
    require_controls(target, run_controls(target, Reference(target), seed=0))


def require_controls(target: Target, controls: tuple[ControlRecord, ...]) -> None:
    """Refuse a target that a trivial kernel passes."""
    passed = [control.name for control in controls if not control.rejected]
    if passed:
        raise UserError(
            f"the trivial kernel '{passed[0]}' passes every public case",
            where=f"tolerance of target {target.name}",
            fix="Tighten the tolerance, or give public cases whose outputs differ from it.",
        )


def _run(name: str, target: Target, reference: Reference, seed: int) -> ControlRecord:
    for case in target.public_cases:
        inputs = draw_inputs(target, case, seed)
        expected = reference.outputs(case, inputs)
        for tensor in target.tensors_for(case):
            if tensor.name not in expected:
                continue
            answer = CONTROLS[name](tensor, inputs, expected[tensor.name])
            tolerance = target.tolerance.get(tensor.dtype)
            verdict = compare(tensor.name, answer, expected[tensor.name], tensor.dtype, tolerance)
            if verdict.finding:
                return ControlRecord(name=name, rejected=True, status=verdict.finding.status)
    return ControlRecord(name=name, rejected=False, status=Status.PASSED)
