"""What the harness judges kernels on: symbols, tensors, scalars, cases, and the right answers."""

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.expressions import Expression, evaluate
from rocm_pipeline.targets.launch_plan import WAVE, BoundPlan, LaunchPlan, Name, bind, kernel_names
from rocm_pipeline.targets.numbers import Int32, Integer, Number

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,47}$"
ARCHITECTURES = ("gfx90a", "gfx942", "gfx950", "gfx1030", "gfx1100", "gfx1201")
Wave = Literal[32, 64]
WAVES: tuple[Wave, ...] = (32, 64)
ReferenceFunction = Callable[
    [dict[str, Array], dict[str, int], dict[str, float]], Mapping[str, Array]
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Role(str, Enum):
    """What a kernel may do with a tensor."""

    INPUT = "input"
    OUTPUT = "output"
    INOUT = "inout"


class Symbol(_Frozen):
    """The values an integer symbol may take: a range, or a short list of choices."""

    min: Int32 = 1
    max: Int32 | None = None
    choices: tuple[Int32, ...] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "Symbol":
        if (self.max is None) == (self.choices is None):
            raise ValueError("give either 'max' (with an optional 'min') or 'choices'")
        if self.max is not None and self.max < self.min:
            raise ValueError(f"max {self.max} is below min {self.min}")
        if self.choices is not None and not self.choices:
            raise ValueError("'choices' is empty")
        return self

    def allows(self, value: int) -> bool:
        if self.choices is not None:
            return value in self.choices
        return self.max is not None and self.min <= value <= self.max


class TensorSpec(_Frozen):
    """A contiguous, row-major tensor. `dtype` is an element type or a type variable.

    `values` says how inputs are drawn: standard normal, uniform in [0, 1), or integers in
    [0, `below`).
    """

    role: Role
    dtype: str
    shape: tuple[Expression, ...] = Field(min_length=1)
    values: Literal["normal", "uniform", "integers"] = "normal"
    below: Expression | None = None


class Scalar(_Frozen):
    """A parameter passed by value; `values` are those that may be drawn."""

    dtype: Literal["float32", "float64", "int32", "int64", "uint32"] = "float32"
    values: tuple[Number, ...] = Field(min_length=1)


class Case(_Frozen):
    """One set of values for the symbols, type variables and scalars of a target.

    `scale` multiplies every drawn floating-point input.
    """

    symbols: dict[str, Integer]
    dtypes: dict[str, DType]
    scalars: dict[str, Number] = Field(default_factory=dict)
    scale: Number = 1.0

    @property
    def name(self) -> str:
        """A short name made of the values, stable across runs."""
        parts = [f"{key}={value}" for key, value in sorted(self.symbols.items())]
        parts += [f"{key}={value.suffix}" for key, value in sorted(self.dtypes.items())]
        parts += [f"{key}={value:g}" for key, value in sorted(self.scalars.items())]
        parts += [f"scale={self.scale:g}"] if self.scale != 1.0 else []
        return ",".join(parts)


class Calibration(_Frozen):
    """What an honest implementation of the same element type needs of a tolerance.

    A sentence alone, as an author writes it at first, is `how` with nothing measured;
    `rocm-pipeline targets calibrate` prints the rest.
    """

    how: str
    """Which implementations were measured."""
    draws: Integer = Field(default=0, ge=0)
    """Cases, each with values of its own."""
    worst_ratio: Number | None = Field(default=None, ge=0)
    """Their largest error over the tolerance, where that was largest."""
    suggested_absolute: Number | None = Field(default=None, ge=0)
    suggested_relative: Number | None = Field(default=None, ge=0)
    harness: str = ""
    """Hash of the harness that measured it."""

    @model_validator(mode="before")
    @classmethod
    def _sentence(cls, value: object) -> object:
        return {"how": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _measured_or_not(self) -> "Calibration":
        figures = (self.worst_ratio, self.suggested_absolute, self.suggested_relative)
        measured = self.draws > 0
        if any((figure is not None) != measured for figure in figures):
            raise ValueError("give all figures with 'draws', or none: see `targets calibrate`")
        return self


class Tolerance(_Frozen):
    """`|actual - reference| <= absolute + relative * |reference|`, for every element.

    `calibration` says which honest implementation of the same element type the two figures were
    taken from, and what its own error was.
    """

    absolute: Number = Field(ge=0)
    relative: Number = Field(ge=0)
    calibration: Calibration


def _unit(values: tuple[float, ...]) -> tuple[float, ...]:
    if 1.0 not in values:
        raise ValueError("scales must hold 1.0")
    return values


@dataclass(frozen=True)
class BoundTensor:
    """A tensor with shape and element type evaluated for one case."""

    name: str
    role: Role
    dtype: DType
    shape: tuple[int, ...]


class Subject(_Frozen):
    """What any kernel can be judged on, whoever wrote it and whatever for.

    The right answers come from `reference`, and inputs from each tensor's `values`, unless a kind
    of subject says otherwise (`own_reference`, `own_inputs`).
    """

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    symbols: dict[Name, Symbol] = Field(min_length=1)
    dtypes: dict[Name, tuple[DType, ...]] = Field(default_factory=dict)
    tensors: dict[Name, TensorSpec] = Field(min_length=1)
    scalars: dict[Name, Scalar] = Field(default_factory=dict)
    public_cases: tuple[Case, ...] = Field(min_length=1)
    timing_cases: tuple[Case, ...] = ()
    tolerance: dict[DType, Tolerance] = Field(default_factory=dict)
    scales: Annotated[tuple[Number, ...], AfterValidator(_unit)] = (1.0,)
    """Factors on the inputs that held-out cases may use; the reference must stay finite."""
    emulation_operations: Integer = Field(default=4_000_000, gt=0)
    """Held-out cases stay below this many operations, so that the CPU emulator ends in time."""
    reference: str
    """Source of a Python file with `reference(inputs, symbols, scalars) -> outputs`, in float64."""
    architectures: tuple[str, ...] = Field(default=ARCHITECTURES, min_length=1)

    @property
    def sha256(self) -> str:
        """Hash of all of it; evidence names by it what it judged a kernel on."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def inputs(self) -> tuple[str, ...]:
        return self._with_roles(Role.INPUT, Role.INOUT)

    @property
    def outputs(self) -> tuple[str, ...]:
        return self._with_roles(Role.OUTPUT, Role.INOUT)

    @property
    def reference_place(self) -> str:
        """Where its author finds the reference."""
        return f"reference of {self.name}"

    @property
    def waves(self) -> tuple[Wave, ...]:
        """Wave sizes to run on."""
        return WAVES

    def own_inputs(self, case: Case, seed: int) -> dict[str, Array] | None:
        """Return inputs of this subject's making; None where each tensor says its `values`."""
        del case, seed
        return None

    @property
    def only_given_sizes(self) -> bool:
        """Whether the harness may run the sizes of the public cases and no others."""
        return False

    @property
    def may_run_smaller(self) -> bool:
        """Whether a size of the harness's own may be replaced where a kernel is too slow for it.

        A kernel decides itself where it is slow. Who verifies a kernel of their own is told what
        was replaced; what an agent wrote could hide so from the sizes that it cannot know.
        """
        return False

    @property
    def may_be_trivial(self) -> bool:
        """Whether the task itself may be what a trivial kernel does: a copy, a fill."""
        return False

    def settled(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """Return sizes near the drawn ones that are likelier to be admitted."""
        return dict(sizes)

    def own_large_cases(self, rng: random.Random) -> tuple[Case, ...]:
        """Return large cases; they come from the timing cases where there are some."""
        del rng
        return ()

    def own_reference(self) -> ReferenceFunction | None:
        """Return what gives the right answers; None where that is the text `reference`."""
        return None

    def tolerance_for(self, case: Case) -> Mapping[DType, Tolerance]:
        """Return the tolerance of every floating-point type of the outputs of `case`."""
        del case
        return self.tolerance

    def admits(self, case: Case) -> bool:
        """Say whether the harness may draw these sizes."""
        del case
        return True

    def work_of(self, case: Case) -> tuple[int, int]:
        """Return (bytes, operations) that any implementation must do for `case`."""
        raise NotImplementedError

    def tensors_for(self, case: Case) -> tuple[BoundTensor, ...]:
        """Return every tensor with its shape and element type for `case`."""
        return tuple(
            BoundTensor(
                name,
                spec.role,
                self.dtype_of(spec.dtype, case),
                tuple(evaluate(text, case.symbols) for text in spec.shape),
            )
            for name, spec in self.tensors.items()
        )

    def dtype_of(self, name: str, case: Case) -> DType:
        """Return the element type that a type variable (or a type's own name) stands for."""
        return case.dtypes[name] if name in case.dtypes else DType(name)

    def bind(self, plan: LaunchPlan, case: Case, wave: int) -> BoundPlan:
        """Evaluate a launch plan for `case`."""
        return bind(plan, case.symbols, case.dtypes, wave)

    def kernel_variants(self) -> Iterator[Case]:
        """Yield one case for each combination of type variables and listed choices.

        A plan's kernel names may depend on exactly these; symbols with a range keep the values
        of the first public case.
        """
        first = self.public_cases[0]
        listed = {name: s.choices for name, s in self.symbols.items() if s.choices is not None}
        for values in product(*listed.values()):
            for dtypes in product(*self.dtypes.values()):
                yield Case(
                    symbols={**first.symbols, **dict(zip(listed, values, strict=True))},
                    dtypes=dict(zip(self.dtypes, dtypes, strict=True)),
                    scalars=first.scalars,
                )

    def kernel_names(self, plan: LaunchPlan) -> tuple[str, ...]:
        """Return every kernel that `plan` may start, over all variants, without repeats."""
        names: dict[str, None] = {}
        for case in self.kernel_variants():
            names.update(dict.fromkeys(kernel_names(plan, case.symbols, case.dtypes)))
        return tuple(names)

    def check_case(self, case: Case, where: str) -> None:
        """Raise ValueError, naming the field below `where`, unless `case` is one of this target."""
        for kind, given in (
            ("symbols", case.symbols),
            ("dtypes", case.dtypes),
            ("scalars", case.scalars),
        ):
            expected = set(getattr(self, kind))
            if set(given) != expected:
                raise ValueError(f"{where}.{kind} must name exactly {sorted(expected)}")
        for name, value in case.symbols.items():
            if not self.symbols[name].allows(value):
                raise ValueError(f"{where}.symbols.{name}: {value} is outside the symbol's domain")
        for name, dtype in case.dtypes.items():
            if dtype not in self.dtypes[name]:
                raise ValueError(f"{where}.dtypes.{name}: {dtype.value} is not among its types")

    def _with_roles(self, *roles: Role) -> tuple[str, ...]:
        return tuple(name for name, spec in self.tensors.items() if spec.role in roles)

    def _check_names(self) -> None:
        owners: dict[str, str] = {WAVE: "the wave size"}
        for kind in ("symbols", "dtypes", "tensors", "scalars"):
            names: Mapping[str, object] = getattr(self, kind)
            for name in names:
                if name in owners:
                    raise ValueError(f"{kind}: '{name}' is already {owners[name]}")
                owners[name] = f"in {kind}"
