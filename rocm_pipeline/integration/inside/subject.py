# pyright: basic, reportMissingImports=false
"""The operator under test and the arguments of its cases."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from rocm_pipeline.integration.job import Job, JobCase

JOB = Path("/job")
BOX = Path("/box")
PACKAGES = "/packages"
NAMESPACE = "rocm_pipeline"

Operator = Callable[..., Any]


class BadResultError(Exception):
    """The operator returned something that cannot be judged."""


def load(job: Job) -> Operator:
    """Import the package, which runs `op.py`, and return the operator's function."""
    sys.path.insert(0, PACKAGES)
    return getattr(importlib.import_module(job.package), job.name)


def arguments(job: Job, case: JobCase, requires_grad: bool = False) -> list[Any]:
    """Return the tensors, symbols and scalars of a case in the order of the parameters."""
    given: dict[str, Any] = {name: tensor(case, name) for name in job.inputs}
    if requires_grad:
        given = {n: t.requires_grad_() if t.is_floating_point() else t for n, t in given.items()}
    return [{**given, **case.values}[name] for name in job.parameters]


def tensor(case: JobCase, name: str) -> Tensor:
    """Read one array of a case."""
    return torch.from_numpy(np.load(JOB / case.id / f"{name}.npy", allow_pickle=False))


def outputs_of(job: Job, returned: Any) -> dict[str, Tensor]:
    """Name what the operator returned."""
    found = returned if isinstance(returned, (tuple, list)) else (returned,)
    if len(found) != len(job.outputs) or not all(isinstance(one, Tensor) for one in found):
        raise BadResultError(
            f"returned {len(found)} values, not the tensors {', '.join(job.outputs)}"
        )
    return dict(zip(job.outputs, found, strict=True))


def gradients(job: Job, case: JobCase, function: Operator, values: list[Any]) -> dict[str, Tensor]:
    """Return the gradient of every floating-point input for the case's output gradients."""
    outputs = outputs_of(job, function(*values))
    floating = [name for name, output in outputs.items() if output.is_floating_point()]
    wanted = {n: v for n, v in zip(job.parameters, values, strict=True) if _differentiable(v)}
    found = torch.autograd.grad(
        [outputs[name] for name in floating],
        list(wanted.values()),
        [tensor(case, f"grad_{name}") for name in floating],
        allow_unused=True,
    )
    missing = [name for name, gradient in zip(wanted, found, strict=True) if gradient is None]
    if missing:
        raise BadResultError(f"the backward gives no gradient for {', '.join(missing)}")
    return dict(zip(wanted, found, strict=True))


def write(check: str, case: JobCase, arrays: dict[str, Tensor]) -> None:
    """Leave raw arrays for the harness to judge."""
    folder = BOX / check / case.id
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array.detach().cpu().numpy())


class Recorder(TorchDispatchMode):
    """Sees with which arguments the custom operator itself is called."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._name = f"{NAMESPACE}::{job.name}"
        self.calls: list[tuple[Any, tuple[Any, ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.name() == self._name or func.name().startswith(self._name + "."):
            self.calls.append((func, args))
        return func(*args, **(kwargs or {}))


def _differentiable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()
