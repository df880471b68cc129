"""Operators for row_softmax, put together from the parts in which cheats differ."""

from dataclasses import dataclass, replace

FORWARD = """    y = torch.empty_like(x, memory_format=torch.contiguous_format)
    launch({"x": x}, {}, {}, {"y": y})
    return y
"""
FAKE = "    return torch.empty_like(x, memory_format=torch.contiguous_format)\n"
BACKWARD = """    (y,) = ctx.saved_tensors
    return y * (dy - (dy * y).sum(dim=-1, keepdim=True))
"""
REGISTER = "forward.register_autograd(backward, setup_context=setup_context)\n"
PUBLIC = "    return forward(x)\n"

_TEMPLATE = """import torch
from torch import Tensor

from .runtime import launch

{top}

@torch.library.custom_op("rocm_pipeline::row_softmax", mutates_args=())
def forward(x: Tensor) -> Tensor:
{forward}

@forward.register_fake
def _(x: Tensor) -> Tensor:
{fake}

def setup_context(ctx, inputs, output):
    ctx.save_for_backward(output)


def backward(ctx, dy):
{backward}

{register}

def row_softmax(x: Tensor) -> Tensor:
{public}"""


@dataclass(frozen=True)
class Source:
    """The parts of `op.py`; those left as they are make the honest operator."""

    top: str = ""
    forward: str = FORWARD
    fake: str = FAKE
    backward: str = BACKWARD
    register: str = REGISTER
    public: str = PUBLIC

    @property
    def text(self) -> str:
        return _TEMPLATE.format(**vars(self))

    def but(self, **parts: str) -> "Source":
        return replace(self, **parts)


HONEST = Source()


def at_import(code: str) -> Source:
    """Return the honest operator with code that runs when it is imported."""
    return HONEST.but(top=code)


def public(*lines: str, top: str = "") -> Source:
    """Return the honest operator with another body of its public function."""
    return HONEST.but(public="".join(f"    {line}\n" for line in lines), top=top)


def forward(*lines: str, top: str = "") -> Source:
    """Return the honest operator with another body of the function that launches."""
    return HONEST.but(forward="".join(f"    {line}\n" for line in lines), top=top)


def backward(*lines: str) -> Source:
    """Return the honest operator with another backward."""
    return HONEST.but(backward="".join(f"    {line}\n" for line in lines))
