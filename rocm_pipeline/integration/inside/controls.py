# pyright: basic, reportMissingImports=false
"""Operators that are known to be bad.

They are checked in the operator's own process after it: when a checker accepts one, the operator
has tampered with the checker, and its acceptance of anything means nothing.
"""

from typing import Any

import torch
from torch import Tensor

from rocm_pipeline.integration.inside import tools
from rocm_pipeline.integration.job import Check, GradcheckJob

_NAMESPACE = "rocm_pipeline_control"


@torch.library.custom_op(f"{_NAMESPACE}::changes_its_input", mutates_args=())
def _changes_its_input(x: Tensor) -> Tensor:
    x.add_(1)
    return x.clone()


@_changes_its_input.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


@torch.library.custom_op(f"{_NAMESPACE}::wrong_fake", mutates_args=())
def _wrong_fake(x: Tensor) -> Tensor:
    return x.clone()


@_wrong_fake.register_fake
def _(x: Tensor) -> Tensor:
    return x.new_empty((x.shape[0] + 1, *x.shape[1:]))


@torch.library.custom_op(f"{_NAMESPACE}::wrong_backward", mutates_args=())
def _wrong_backward(x: Tensor) -> Tensor:
    return 3 * x


_wrong_backward.register_autograd(lambda _context, gradient: 2 * gradient)

# neither a fake nor a backward
_library = torch.library.Library(_NAMESPACE, "FRAGMENT")
_library.define("bare(Tensor x) -> Tensor")
_library.impl("bare", lambda x: x.clone(), "CPU")

_BAD: dict[Check, Any] = {
    Check.SCHEMA: torch.ops.rocm_pipeline_control.changes_its_input.default,
    Check.FAKE: torch.ops.rocm_pipeline_control.wrong_fake.default,
    Check.DISPATCH: torch.ops.rocm_pipeline_control.bare.default,
    Check.AUTOGRAD: torch.ops.rocm_pipeline_control.bare.default,
}


def opcheck_rejects(check: Check, test: str) -> bool:
    """Whether opcheck's test still rejects the operator that is bad for it."""
    x = torch.ones(2, 3, requires_grad=check is Check.AUTOGRAD)
    return bool(tools.opcheck_complaint(_BAD[check], (x,), test))


def gradcheck_rejects(asked: GradcheckJob) -> bool:
    """Whether gradcheck still rejects a wrong backward, under the same step and bounds."""
    x = torch.ones(2, 3, requires_grad=True)
    operator = torch.ops.rocm_pipeline_control.wrong_backward.default
    return bool(tools.gradcheck_complaint(operator, [x], asked))
