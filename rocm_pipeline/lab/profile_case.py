"""What to profile: a source, a launch plan, and what the plan leaves open about its arguments."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rocm_pipeline.errors import UserError, one_line
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.expressions import Expression, ExpressionError, evaluate
from rocm_pipeline.targets.launch_plan import (
    WAVE,
    BoundPlan,
    LaunchPlan,
    LaunchPlanError,
    Name,
    bind,
)
from rocm_pipeline.user_files import read_model, read_text

MOST_BYTES = 1 << 30
"""Of all buffers together: they are held in memory."""
_TENSOR = re.compile(r"(?P<dtype>\w+)\[(?P<shape>[^\[\]]*)\]")
_SCALARS = ("int32", "float32", "float64")
_LARGEST_INTEGER = 10


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorSize(_Frozen):
    """Element type and shape of a buffer; the shape may name symbols."""

    dtype: DType
    shape: Annotated[tuple[Expression, ...], Field(max_length=8)]


class PlanFile(LaunchPlan):
    """A launch plan with, if wanted, what it takes to run it without a target."""

    tensors: dict[Name, TensorSize] = Field(default_factory=dict[str, TensorSize])
    symbols: dict[Name, Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)]] = Field(
        default_factory=dict[str, int]
    )
    scalars: dict[Name, str | float] = Field(default_factory=dict[str, str | float])
    """Values as `--set` takes them: a number is a float32, `float64:0.5` says its type."""


@dataclass(frozen=True)
class ProfileCase:
    """A source and a plan with all that is needed to run it."""

    where: str
    source: str
    plan: LaunchPlan
    tensors: Mapping[str, TensorSize]
    symbols: Mapping[str, int]
    scalars: Mapping[str, np.generic]

    def bound(self, wave: int) -> BoundPlan:
        """Evaluate the plan; raises `UserError`."""
        try:
            return bind(self.plan, self.symbols, {}, wave)
        except LaunchPlanError as error:
            raise UserError(
                str(error), where=self.where, fix="Give symbols a value: --set rows=256"
            ) from error

    def arguments(self) -> dict[str, np.generic]:
        """Everything that is passed by value."""
        symbols = {name: np.int32(value) for name, value in self.symbols.items()}
        return {**symbols, **self.scalars}

    def buffers(self, plan: BoundPlan, *, zeros: bool, wave: int) -> dict[str, Array]:
        """Make every buffer of the plan: floats from -1 to 1, integers from 0 to 9, or zeros."""
        shapes = {each.name: (each.dtype, each.shape) for each in plan.workspace}
        taken = dict.fromkeys(name for launch in plan.launches for name in launch.args)
        for name in taken:
            if name not in shapes and name not in self.symbols and name not in self.scalars:
                shapes[name] = self._size_of(name, wave)
        size = sum(dtype.itemsize * _count(shape) for dtype, shape in shapes.values())
        if size > MOST_BYTES:
            raise UserError(
                f"the buffers need {size} bytes; at most {MOST_BYTES} are held in memory",
                where=self.where,
                fix="Set smaller symbols; the model needs only more data than the caches hold.",
            )
        rng = np.random.default_rng(0)
        return {name: _filled(rng, *shape, zeros=zeros) for name, shape in shapes.items()}

    def _size_of(self, name: str, wave: int) -> tuple[DType, tuple[int, ...]]:
        tensor = self.tensors.get(name)
        if tensor is None:
            raise UserError(
                f"the plan passes '{name}', and nothing says what it is",
                where=self.where,
                fix=f"For a buffer say --tensor {name}=float32[rows,cols], for a number "
                f"--set {name}=256 or --set {name}=0.5",
            )
        try:
            shape = tuple(evaluate(e, {**self.symbols, WAVE: wave}) for e in tensor.shape)
        except ExpressionError as error:
            raise UserError(
                f"tensor '{name}': {error}", where=self.where, fix="Use --set NAME=NUMBER."
            ) from error
        if any(extent < 0 for extent in shape):
            raise UserError(
                f"tensor '{name}' has the shape {shape}, which is below zero",
                where=self.where,
                fix="Give its symbols other values: --set rows=256",
            )
        return tensor.dtype, shape


def read_case(
    file: Path, plan: Path, settings: Sequence[str] = (), tensors: Sequence[str] = ()
) -> ProfileCase:
    """Read a source and its plan; `settings` and `tensors` as on the command line.

    Raises `UserError` with the file or option that is wrong.
    """
    _require_once(settings, "--set")
    _require_once(tensors, "--tensor")
    given = read_model(PlanFile, plan)
    symbols, scalars = dict(given.symbols), dict[str, np.generic]()
    for name, value in given.scalars.items():
        text = value if isinstance(value, str) else repr(float(value))
        _set(f"{name}={text}", symbols, scalars, str(plan))
    for setting in settings:
        _set(setting, symbols, scalars, "--set")
    sizes = dict(given.tensors) | dict(_tensor(text) for text in tensors)
    bare = LaunchPlan(launches=given.launches, workspace=given.workspace)
    return ProfileCase(str(plan), read_text(file), bare, sizes, symbols, scalars)


def _require_once(assignments: Sequence[str], where: str) -> None:
    names = [text.partition("=")[0].strip() for text in assignments]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"'{one_line(name)}' is given twice", where=where, fix="Give it once.")


def _set(text: str, symbols: dict[str, int], scalars: dict[str, np.generic], where: str) -> None:
    name, equals, value = (part.strip() for part in text.partition("="))
    kind, colon, number = value.rpartition(":")
    try:
        if not equals or not name.isidentifier() or (colon and kind not in _SCALARS):
            raise ValueError
        if not colon and re.fullmatch(r"[+-]?\d+", number):
            symbols[name] = int(np.int32(int(number)))
            scalars.pop(name, None)
        else:
            dtype = np.dtype(kind or "float32")
            scalars[name] = dtype.type(int(number) if dtype.kind == "i" else float(number))
            symbols.pop(name, None)
    except (ValueError, OverflowError) as error:
        raise UserError(
            f"'{one_line(text)}' sets nothing",
            where=where,
            fix=f"Write rows=256 for an int32, alpha=0.5 for a float32, or TYPE:VALUE with a "
            f"type of {', '.join(_SCALARS)}.",
        ) from error


def _tensor(text: str) -> tuple[str, TensorSize]:
    name, _, rest = (part.strip() for part in text.partition("="))
    match = _TENSOR.fullmatch(rest)
    try:
        if not name.isidentifier() or match is None:
            raise ValueError("write NAME=DTYPE[SHAPE]")
        shape = [part.strip() for part in _split(match["shape"])]
        return name, TensorSize.model_validate({"dtype": match["dtype"], "shape": shape})
    except ValueError as error:
        types = ", ".join(each.value for each in DType)
        raise UserError(
            f"'{one_line(text)}' is no tensor",
            where="--tensor",
            fix=f"Write for example x=float32[rows,cols]; types are {types}.",
        ) from error


def _split(shape: str) -> list[str]:
    """Split at commas outside brackets: `min(a, b), c` has two parts."""
    return [part for part in re.split(r",(?![^()]*\))", shape) if part.strip()]


def _count(shape: Sequence[int]) -> int:
    count = 1
    for extent in shape:
        count *= extent
    return count


def _filled(
    rng: np.random.Generator, dtype: DType, shape: tuple[int, ...], *, zeros: bool
) -> Array:
    if zeros:
        return np.zeros(shape, dtype.numpy)
    if dtype.is_floating:
        return dtype.pack(rng.uniform(-1, 1, shape))
    return rng.integers(0, _LARGEST_INTEGER, shape).astype(dtype.numpy)
