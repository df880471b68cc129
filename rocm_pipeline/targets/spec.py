"""The Target: one thing to optimise, as its author writes it down."""

from math import prod

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.expressions import Expression, ExpressionError, evaluate, symbols_of
from rocm_pipeline.targets.launch_plan import LaunchPlan, LaunchPlanError, Name, bind
from rocm_pipeline.targets.numbers import Integer, Number
from rocm_pipeline.targets.subject import (
    ARCHITECTURES,
    NAME_PATTERN,
    BoundTensor,
    Calibration,
    Case,
    Role,
    Scalar,
    Subject,
    Symbol,
    TensorSpec,
    Tolerance,
)

MAX_VARIANTS = 256
"""Combinations of element types and listed choices; each is a kernel to compile and to run."""

OPERATOR_TYPES = (
    *(DType.FLOAT16, DType.FLOAT32, DType.FLOAT64),
    *(DType.INT32, DType.INT64, DType.UINT8),
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Baseline(_Frozen):
    """The plain kernel a newcomer would write; both sides of a speed-up use one estimator."""

    source: str
    launch_plan: LaunchPlan
    why_slow: str


class Work(_Frozen):
    """What any implementation must do at least: bytes moved and floating-point operations."""

    bytes: Expression
    operations: Expression


class Gradcheck(_Frozen):
    """A small case for `torch.autograd.gradcheck` in float32, with its step and bounds."""

    symbols: dict[str, Integer]
    scalars: dict[str, Number] = Field(default_factory=dict)
    eps: Number = 1e-2
    absolute: Number = 1e-2
    relative: Number = 1e-2


class PyTorch(_Frozen):
    """The operator to make: its PyTorch equivalent and, where there is one, its backward.

    `equivalent` is an expression over the input tensors, symbols and scalars, with `torch` and
    `F` (torch.nn.functional) in scope; it returns what the operator must return.
    `backward` is the formula in words for the agent that writes the operator.
    """

    equivalent: str
    backward: str | None = None
    gradcheck: Gradcheck | None = None


class Target(Subject):
    """A subject with objectives: what to optimise, from which baseline, for which operator.

    The Dagster partition key is `name`.
    """

    title: str
    family: str
    """Operator family, by which the embedded agent knows schedules; free text otherwise."""
    objective: str
    dtypes: dict[Name, tuple[DType, ...]] = Field(min_length=1)
    timing_cases: tuple[Case, ...] = Field(min_length=1)
    work: Work
    baseline: Baseline
    constraints: tuple[str, ...] = ()
    reference_docs: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    """Path patterns in the configured repository; a commit that touches one starts a run."""
    pytorch: PyTorch

    @model_validator(mode="after")
    def _consistent(self) -> "Target":
        unknown = set(self.architectures) - set(ARCHITECTURES)
        if unknown:
            raise ValueError(
                f"architectures: {', '.join(sorted(unknown))} unknown; "
                f"known are {', '.join(ARCHITECTURES)}"
            )
        if len(set(self.architectures)) != len(self.architectures):
            raise ValueError("architectures: one is named twice")
        self._check_names()
        self._check_expressions()
        self._check_types()
        if not self.outputs:
            raise ValueError("tensors: none has the role 'output' or 'inout'")
        for field in ("public_cases", "timing_cases"):
            for index, case in enumerate(getattr(self, field)):
                self.check_case(case, f"{field}[{index}]")
                self._check_values(case, f"{field}[{index}]")
        if self.pytorch.gradcheck is not None:
            self.check_case(self._gradcheck_case(self.pytorch.gradcheck), "pytorch.gradcheck")
        self._check_tolerance()
        self._check_variants()
        self._check_baseline()
        return self

    def work_of(self, case: Case) -> tuple[int, int]:
        """Return (bytes, operations) that any implementation must do for `case`."""
        sizes = {f"size_{name}": self.dtype_of(name, case).itemsize for name in self.dtypes}
        values = {**case.symbols, **sizes}
        return evaluate(self.work.bytes, values), evaluate(self.work.operations, values)

    def _gradcheck_case(self, gradcheck: Gradcheck) -> Case:
        return Case(
            symbols=gradcheck.symbols,
            dtypes=self.public_cases[0].dtypes,
            scalars=gradcheck.scalars,
        )

    def _check_expressions(self) -> None:
        known = set(self.symbols)
        for name, spec in self.tensors.items():
            for text in spec.shape:
                _require(symbols_of(text), known, f"tensors.{name}.shape '{text}'")
            if spec.below is not None:
                _require(symbols_of(spec.below), known, f"tensors.{name}.below '{spec.below}'")
            if spec.dtype not in self.dtypes and spec.dtype not in set(DType):
                raise ValueError(f"tensors.{name}.dtype '{spec.dtype}' is no type and no variable")
        sizes = {f"size_{name}" for name in self.dtypes}
        for field in ("bytes", "operations"):
            text = getattr(self.work, field)
            _require(symbols_of(text), known | sizes, f"work.{field} '{text}'")

    def _check_values(self, case: Case, where: str) -> None:
        """Have shapes and work computed, since a division by zero shows in no expression alone."""
        try:
            self.tensors_for(case)
        except ExpressionError as error:
            raise ValueError(f"tensors, in {where}: {error}") from error
        try:
            self.work_of(case)
        except ExpressionError as error:
            raise ValueError(f"work, in {where}: {error}") from error

    def _check_baseline(self) -> None:
        try:
            for case in self.kernel_variants():
                bind(self.baseline.launch_plan, case.symbols, case.dtypes, wave=64)
        except LaunchPlanError as error:
            raise ValueError(f"baseline.launch_plan: {error}") from error

    def _check_types(self) -> None:
        """PyTorch's operator, its examples and its gradients are made of these types alone."""
        types = {name for variable in self.dtypes.values() for name in variable}
        types |= {DType(spec.dtype) for spec in self.tensors.values() if spec.dtype in set(DType)}
        if any(scalar.dtype not in ("float32", "float64") for scalar in self.scalars.values()):
            raise ValueError("scalars: a target's are float32 or float64; use a symbol for a size")
        unknown = sorted(each.value for each in types - set(OPERATOR_TYPES))
        if unknown:
            known = ", ".join(each.value for each in OPERATOR_TYPES)
            raise ValueError(f"dtypes: {', '.join(unknown)} in a target; targets have {known}")

    def _check_variants(self) -> None:
        counts = [len(s.choices) for s in self.symbols.values() if s.choices is not None]
        counts += [len(types) for types in self.dtypes.values()]
        if prod(counts) > MAX_VARIANTS:
            raise ValueError(
                f"choices and dtypes make {prod(counts)} kernel variants; "
                f"at most {MAX_VARIANTS} are compiled"
            )

    def _check_tolerance(self) -> None:
        for name in self.outputs:
            variable = self.tensors[name].dtype
            for dtype in self.dtypes.get(
                variable, (DType(variable),) if variable in set(DType) else ()
            ):
                if dtype.is_floating and dtype not in self.tolerance:
                    raise ValueError(f"tolerance: no entry for {dtype.value}, the type of '{name}'")


def _require(used: frozenset[str], known: set[str], where: str) -> None:
    missing = used - known
    if missing:
        raise ValueError(f"{where} names {', '.join(sorted(missing))}; known are {sorted(known)}")


__all__ = [
    "ARCHITECTURES",
    "NAME_PATTERN",
    "Baseline",
    "BoundTensor",
    "Calibration",
    "Case",
    "Gradcheck",
    "PyTorch",
    "Role",
    "Scalar",
    "Subject",
    "Symbol",
    "Target",
    "TensorSpec",
    "Tolerance",
    "Work",
]
