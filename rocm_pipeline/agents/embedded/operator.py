"""pytorch_dev: an operator module generated from the target's tensors.

Any target gets a forward operator. The families below also get a backward, from their own template.
"""

import ast
import keyword
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from rocm_pipeline.agents.embedded.question import Question
from rocm_pipeline.agents.reply import Reply, ReplyFile
from rocm_pipeline.agents.roles import OPERATOR_FILE
from rocm_pipeline.targets.expressions import parse
from rocm_pipeline.targets.spec import Role, Target

_BACKWARD = {
    "row_softmax": (("x",), ("y",)),
    "attention_forward": (("q", "k", "v", "causal", "scale"), ("o",)),
    "upsample_conv_silu": (("x", "weight", "bias"), ("y",)),
}
"""Parameters and outputs that a family's backward template is written for."""
_RESERVED = {"torch", "launch", "forward", "ceildiv"}


class UnsupportedError(ValueError):
    """The target has something that the generator cannot express; says what."""


@dataclass(frozen=True)
class _Tensor:
    """`shape` and `dtype` are Python expressions, over the symbols and the inputs."""

    name: str
    shape: tuple[str, ...]
    dtype: str
    is_copy: bool
    """An inout tensor: the operator works on a copy, because it mutates no argument."""


def write_operator(question: Question, _seed: int) -> Reply:
    """Return `op.py` for the question's target, or a reply without files that says why not."""
    target = question.target
    try:
        text = operator_source(target)
    except UnsupportedError as error:
        return Reply(explanation="I cannot write this operator.", limitations=(f"{error}.",))
    wants_backward = target.pytorch.backward is not None
    limitations = ["The generator was given the target's tensors; it knows no device."]
    if wants_backward and not _has_backward(target):
        limitations.append("The operator has no backward: the generator has none for this family.")
    return Reply(
        files=(ReplyFile(path=OPERATOR_FILE, text=text),),
        explanation="Generated from the target's tensors, symbols and scalars.",
        limitations=tuple(limitations),
    )


def operator_source(target: Target) -> str:
    """Return the text of `op.py`; `UnsupportedError` for what it cannot express."""
    _check_names(target)
    given = _symbols_from_shapes(target)
    rest = free_symbols(target)
    return (
        _environment()
        .get_template("op.py.j2")
        .render(
            target=target,
            title=target.title.replace("\\", "").replace(chr(34), "").strip(". "),
            inputs=target.inputs,
            given=given,
            integers=rest,
            scalars=tuple(target.scalars),
            parameters=parameters(target),
            shapes={name: _shape(target, name) for name in target.inputs},
            types={name: _types(target, name) for name in target.inputs},
            alike=_tensors_of_one_type(target),
            outputs=[_output(target, name) for name in target.outputs],
            needs_ceildiv=any("ceildiv" in e for s in target.tensors.values() for e in s.shape),
            backward=f"{target.family}.py.j2" if _has_backward(target) else None,
        )
    )


def parameters(target: Target) -> tuple[str, ...]:
    """Return the parameters of the target's operator: inputs, free symbols, scalars."""
    return (*target.inputs, *free_symbols(target), *target.scalars)


def free_symbols(target: Target) -> tuple[str, ...]:
    """Return the symbols that no input's shape gives."""
    given = _symbols_from_shapes(target)
    return tuple(name for name in target.symbols if name not in given)


def _check_names(target: Target) -> None:
    for name in (*target.tensors, *target.symbols, *target.scalars):
        if keyword.iskeyword(name) or name in _RESERVED or name == target.name:
            raise UnsupportedError(f"The name '{name}' cannot be a parameter in Python here")


def _symbols_from_shapes(target: Target) -> dict[str, str]:
    """Return, for each symbol that is a dimension of an input, the expression that reads it."""
    found: dict[str, str] = {}
    for name in target.inputs:
        for axis, expression in enumerate(target.tensors[name].shape):
            if expression.strip() in target.symbols:
                found.setdefault(expression.strip(), f"{name}.shape[{axis}]")
    return {name: found[name] for name in target.symbols if name in found}


def _shape(target: Target, name: str) -> tuple[str, ...]:
    return tuple(ast.unparse(parse(expression)) for expression in target.tensors[name].shape)


def _types(target: Target, name: str) -> tuple[str, ...]:
    """Return the torch types that a tensor may have."""
    variable = target.tensors[name].dtype
    if variable in target.dtypes:
        return tuple(f"torch.{dtype.value}" for dtype in target.dtypes[variable])
    return (f"torch.{variable}",)


def _tensors_of_one_type(target: Target) -> tuple[tuple[str, ...], ...]:
    """Return the groups of inputs that share a type variable."""
    groups = [
        tuple(name for name in target.inputs if target.tensors[name].dtype == variable)
        for variable in target.dtypes
    ]
    return tuple(group for group in groups if len(group) > 1)


def _output(target: Target, name: str) -> _Tensor:
    spec = target.tensors[name]
    shape = _shape(target, name)
    if spec.role is Role.INOUT:
        return _Tensor(name, shape, f"{name}.dtype", is_copy=True)
    if spec.dtype not in target.dtypes:
        return _Tensor(name, shape, f"torch.{spec.dtype}", is_copy=False)
    source = next((n for n in target.inputs if target.tensors[n].dtype == spec.dtype), None)
    if source is None:
        raise UnsupportedError(f"No input has the type variable '{spec.dtype}' of output '{name}'")
    return _Tensor(name, shape, f"{source}.dtype", is_copy=False)


def _has_backward(target: Target) -> bool:
    if target.pytorch.backward is None:
        return False
    signature = (parameters(target), target.outputs)
    return _BACKWARD.get(target.family) == signature


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("rocm_pipeline.agents.embedded", "operator_templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
