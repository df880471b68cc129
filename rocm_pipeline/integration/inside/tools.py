# pyright: basic, reportMissingImports=false
"""PyTorch's own checkers, held by reference before any operator is imported."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.library import opcheck

from rocm_pipeline.integration.job import Check, GradcheckJob

_compile = torch.compile

OPCHECKS = {
    Check.SCHEMA: "test_schema",
    Check.AUTOGRAD: "test_autograd_registration",
    Check.FAKE: "test_faketensor",
    Check.DISPATCH: "test_aot_dispatch_dynamic",
}


def opcheck_complaint(operator: Any, arguments: tuple[Any, ...], test: str) -> str:
    """Return what one of opcheck's tests has to say against the operator; empty when nothing."""
    found = opcheck(operator, arguments, test_utils=test, raise_exception=False)[test]
    return "" if found == "SUCCESS" else _first_cause(found)


def gradcheck_complaint(
    function: Callable[..., Any], values: list[Any], asked: GradcheckJob
) -> str:
    """Return what gradcheck has to say against the backward; empty when nothing."""
    with warnings.catch_warnings():
        # it advises float64, and the kernels are float32; step and bounds are chosen for that
        warnings.filterwarnings("ignore", message=".*double precision floating point.*")
        try:
            gradcheck(function, values, eps=asked.eps, atol=asked.absolute, rtol=asked.relative)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return ""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function compiled without a code generator, as one graph or not at all."""
    return _compile(function, fullgraph=True, backend="aot_eager")


def warm_up() -> None:
    """Load what compilation and opcheck need, once for all the processes forked later."""
    x = torch.ones(2, 2, requires_grad=True)
    compiled(lambda x: x + 1)(x).sum().backward()
    # most of what opcheck loads, it loads when it is first used
    for test in OPCHECKS.values():
        opcheck_complaint(torch.ops.aten.sin.default, (x,), test)
    torch._dynamo.reset()


def strided(tensor: Tensor) -> Tensor:
    """Return the same values in memory that is not contiguous."""
    wide = torch.empty((*tensor.shape[:-1], 2 * tensor.shape[-1]), dtype=tensor.dtype)
    view = wide[..., ::2]
    view.copy_(tensor)
    return view.requires_grad_(tensor.requires_grad)


def _first_cause(error: Any) -> str:
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {cause}"
