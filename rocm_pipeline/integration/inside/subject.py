# pyright: basic, reportMissingImports=false
"""The operator under test and the arguments of its cases."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode

from rocm_pipeline.integration.inside.kernels import own_runtime, remote_plan
from rocm_pipeline.integration.inside.process import Line
from rocm_pipeline.integration.job import Job, JobCase
from rocm_pipeline.lab.evidence import Status

NAMESPACE = "rocm_pipeline"

Operator = Callable[..., Any]


class BadResultError(Exception):
    """The operator returned something that cannot be judged."""

    def __init__(self, message: str, status: Status = Status.WRONG_VALUE) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Subject:
    """What is checked: the job, and the folders of its arrays and of its package."""

    job: Job
    arrays: Path
    packages: Path

    def arguments(self, case: JobCase, requires_grad: bool = False) -> list[Any]:
        """Return the tensors, symbols and scalars of a case in the order of the parameters."""
        given: dict[str, Any] = {name: self.tensor(case, name) for name in self.job.inputs}
        if requires_grad:
            given = {
                name: one.requires_grad_() if one.is_floating_point() else one
                for name, one in given.items()
            }
        return [{**given, **case.values}[name] for name in self.job.parameters]

    def tensor(self, case: JobCase, name: str) -> Tensor:
        """Read one array of a case."""
        path = self.arrays / case.id / f"{name}.npy"
        return torch.from_numpy(np.load(path, allow_pickle=False))


def load(subject: Subject, line: Line) -> Operator:
    """Import the package, which runs `op.py`, and return the operator's function.

    Its runtime comes first and alone, with the kernels in another process.
    """
    job = subject.job
    runtime = own_runtime(subject.packages, job.package)
    runtime.run_plan = remote_plan(job.outputs, line.launch)
    sys.path.insert(0, str(subject.packages))
    function = getattr(importlib.import_module(job.package), job.name)
    sys.path.remove(str(subject.packages))
    return function


def outputs_of(job: Job, returned: Any) -> dict[str, Tensor]:
    """Name what the operator returned."""
    found = returned if isinstance(returned, (tuple, list)) else (returned,)
    if len(found) != len(job.outputs) or not all(isinstance(one, Tensor) for one in found):
        raise BadResultError(
            f"returned {len(found)} values, not the tensors {', '.join(job.outputs)}"
        )
    for one in found:
        # another type of tensor may compute when it is looked at, or show something else
        if type(one) not in (Tensor, FakeTensor):
            raise BadResultError(
                f"returned a {type(one).__name__}, not a plain torch.Tensor", Status.CHEAT
            )
    return dict(zip(job.outputs, found, strict=True))


def gradients(
    subject: Subject, case: JobCase, function: Operator, values: list[Any]
) -> dict[str, Tensor]:
    """Return the gradient of every floating-point input for the case's output gradients."""
    job = subject.job
    outputs = outputs_of(job, function(*values))
    floating = [name for name, output in outputs.items() if output.is_floating_point()]
    wanted = {n: v for n, v in zip(job.parameters, values, strict=True) if _differentiable(v)}
    found = torch.autograd.grad(
        [outputs[name] for name in floating],
        list(wanted.values()),
        [subject.tensor(case, f"grad_{name}") for name in floating],
        allow_unused=True,
    )
    missing = [name for name, gradient in zip(wanted, found, strict=True) if gradient is None]
    if missing:
        raise BadResultError(f"the backward gives no gradient for {', '.join(missing)}")
    return dict(zip(wanted, found, strict=True))


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
