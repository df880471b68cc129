"""Kernel sources from Jinja2 templates: values of a schedule in, HIP source out."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Target

C_TYPES = {DType.FLOAT32: "float", DType.FLOAT16: "__half"}
"""How kernels call the element types that the families know."""


def fill(name: str, values: Mapping[str, object]) -> str:
    """Return the template `name` filled in; a value that is missing is an error."""
    return _environment().get_template(name).render(values)


def element_types(target: Target, variable: str) -> list[tuple[str, str]]:
    """Return (suffix, C type) of every element type that a type variable may take."""
    return [(dtype.suffix, C_TYPES[dtype]) for dtype in target.dtypes[variable]]


def has_shape(
    target: Target,
    *,
    symbols: Sequence[str],
    tensors: Mapping[str, Sequence[str]],
    scalars: Sequence[str] = (),
) -> bool:
    """Return whether a target has exactly these names, and `io` is fp32 or fp16 throughout."""
    return (
        set(target.symbols) == set(symbols)
        and set(target.scalars) == set(scalars)
        and set(target.dtypes) == {"io"}
        and set(target.dtypes["io"]) <= set(C_TYPES)
        and {name: (spec.dtype, *map(_plain, spec.shape)) for name, spec in target.tensors.items()}
        == {name: ("io", *map(_plain, shape)) for name, shape in tensors.items()}
    )


def _plain(text: str) -> str:
    return text.replace(" ", "")


@cache
def _environment() -> Environment:
    # The output is C++ for a compiler, not HTML for a browser.
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
