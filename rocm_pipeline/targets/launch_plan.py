"""A launch plan: how a candidate's kernels are started, as data.

Agents write device code and a launch plan, never host code, so the harness owns allocation,
launch, timing and comparison on every device.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rocm_pipeline.errors import one_line
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.expressions import Expression, ExpressionError, evaluate

WAVE = "WAVE"
"""The symbol every plan may use: 32 or 64, by architecture."""
MAX_BLOCK = 1024
MAX_GRID = 2**31 - 1

_KERNEL = re.compile(r"[A-Za-z_][A-Za-z0-9_{}]{0,127}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def _kernel_name(text: str) -> str:
    if not _KERNEL.fullmatch(text):
        raise ValueError(f"'{text}' is not a kernel name (letters, digits, _ and {{variable}})")
    return text


def _plain_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"'{text}' is not a name (letters, digits and _)")
    return text


Name = Annotated[str, AfterValidator(_plain_name)]
KernelName = Annotated[str, AfterValidator(_kernel_name)]
Triple = tuple[Expression, Expression, Expression]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Launch(_Frozen):
    """One kernel start.

    `kernel` may hold `{variable}` for a type variable or a symbol of the target:
    `row_softmax_{io}` becomes `row_softmax_f32`. `args` name tensors, workspace, symbols and
    scalars, in the order of the kernel's parameters; a symbol is passed as a 32-bit int.
    """

    kernel: KernelName
    grid: Triple
    block: Triple
    shared_bytes: Expression = "0"
    args: tuple[Name, ...] = Field(max_length=64)


class Workspace(_Frozen):
    """Scratch memory the harness allocates and poisons before the first launch.

    `dtype` is an element type or a type variable of the target.
    """

    name: Name
    dtype: str
    shape: tuple[Expression, ...] = Field(max_length=8)


class LaunchPlan(_Frozen):
    """Launches in order, over the target's tensors and the plan's own workspace."""

    launches: tuple[Launch, ...] = Field(min_length=1, max_length=16)
    workspace: tuple[Workspace, ...] = Field(default=(), max_length=8)


@dataclass(frozen=True)
class BoundLaunch:
    """A launch with every expression evaluated for one case and wave size."""

    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared_bytes: int
    args: tuple[str, ...]

    @property
    def blocks(self) -> int:
        return self.grid[0] * self.grid[1] * self.grid[2]

    @property
    def threads(self) -> int:
        """Work-items in one block."""
        return self.block[0] * self.block[1] * self.block[2]


@dataclass(frozen=True)
class BoundWorkspace:
    """Workspace with its shape evaluated."""

    name: str
    dtype: DType
    shape: tuple[int, ...]


@dataclass(frozen=True)
class BoundPlan:
    """A launch plan evaluated for one case and wave size."""

    launches: tuple[BoundLaunch, ...]
    workspace: tuple[BoundWorkspace, ...]


class LaunchPlanError(ValueError):
    """The plan has no meaning for a case: an unknown name, an empty grid, a block too large."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def bind(
    plan: LaunchPlan,
    symbols: Mapping[str, int],
    dtypes: Mapping[str, DType],
    wave: int,
) -> BoundPlan:
    """Evaluate `plan` for one case; raises `LaunchPlanError` with the launch it is about."""
    values = {**symbols, WAVE: wave}
    launches = tuple(
        _bind_launch(launch, index, values, dtypes) for index, launch in enumerate(plan.launches)
    )
    workspace = tuple(_bind_workspace(entry, values, dtypes) for entry in plan.workspace)
    return BoundPlan(launches, workspace)


def kernel_names(
    plan: LaunchPlan, symbols: Mapping[str, int], dtypes: Mapping[str, DType]
) -> tuple[str, ...]:
    """Return the plan's kernel names for these values, without repeats, in order."""
    names = (_kernel_for(launch.kernel, symbols, dtypes) for launch in plan.launches)
    return tuple(dict.fromkeys(names))


def _kernel_for(template: str, symbols: Mapping[str, int], dtypes: Mapping[str, DType]) -> str:
    fields = {name: dtype.suffix for name, dtype in dtypes.items()}
    fields.update({name: str(value) for name, value in symbols.items()})
    try:
        return template.format(**fields)
    except (KeyError, ValueError, IndexError) as error:
        known = ", ".join(sorted(fields))
        raise LaunchPlanError(
            f"kernel name '{template}' names an unknown variable; known are {known}"
        ) from error


def _bind_launch(
    launch: Launch, index: int, values: Mapping[str, int], dtypes: Mapping[str, DType]
) -> BoundLaunch:
    where = f"launch {index} ({launch.kernel})"
    try:
        grid = _triple(launch.grid, values)
        block = _triple(launch.block, values)
        shared = evaluate(launch.shared_bytes, values)
        kernel = _kernel_for(launch.kernel, values, dtypes)
    except (ExpressionError, LaunchPlanError) as error:
        raise LaunchPlanError(f"{where}: {error}") from error
    if min(block) < 1 or block[0] * block[1] * block[2] > MAX_BLOCK:
        raise LaunchPlanError(f"{where}: block {block} must hold 1 to {MAX_BLOCK} work-items")
    if min(grid) < 1 or max(grid) > MAX_GRID:
        raise LaunchPlanError(f"{where}: grid {grid} must be 1 to {MAX_GRID} in each dimension")
    if shared < 0:
        raise LaunchPlanError(f"{where}: shared_bytes is {shared}, below zero")
    return BoundLaunch(kernel, grid, block, shared, launch.args)


def _triple(triple: Triple, values: Mapping[str, int]) -> tuple[int, int, int]:
    x, y, z = (evaluate(text, values) for text in triple)
    return x, y, z


def _bind_workspace(
    entry: Workspace, values: Mapping[str, int], dtypes: Mapping[str, DType]
) -> BoundWorkspace:
    try:
        shape = tuple(evaluate(text, values) for text in entry.shape)
        dtype = dtypes[entry.dtype] if entry.dtype in dtypes else DType(entry.dtype)
    except ValueError as error:
        raise LaunchPlanError(f"workspace '{entry.name}': {error}") from error
    if any(size < 0 for size in shape):
        raise LaunchPlanError(f"workspace '{entry.name}': shape {shape} is below zero")
    return BoundWorkspace(entry.name, dtype, shape)
