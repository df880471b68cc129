"""The files of a stand-alone verification: kernel, launch plan, reference and case.

Everything is read and checked before anything runs; a mistake is one line that names the file, the
field and what to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

from rocm_pipeline.errors import UserError
from rocm_pipeline.targets.constraints import Constraint, check_constraint, holds
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.expressions import Expression, ExpressionError, evaluate, symbols_of
from rocm_pipeline.targets.launch_plan import WAVE, LaunchPlan, Name
from rocm_pipeline.targets.subject import Role, Scalar
from rocm_pipeline.user_files import read_model, read_text

KERNEL, LAUNCH, REFERENCE, CASE = "kernel.hip", "launch.json", "reference.py", "case.json"
MOST_CASE_BYTES = 256 << 20
"""All tensors of one case: the emulator keeps many bytes of records for each."""
MOST_SYMBOL = 2**31 - 1
"""A symbol in a launch's arguments is passed as int32."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CaseTensor(_Frozen):
    """A contiguous, row-major tensor that a kernel reads or writes."""

    dtype: DType
    shape: tuple[Expression, ...] = Field(min_length=1, max_length=8)
    role: Role


class CaseScalar(Scalar):
    """A parameter passed by value."""

    values: tuple[float, ...] = Field(alias="value", min_length=1, max_length=1)

    @model_validator(mode="before")
    @classmethod
    def _one_value(cls, data: object) -> object:
        if not isinstance(data, dict) or set(data) != {"dtype", "value"}:
            raise ValueError("give 'dtype' and 'value', nothing else")
        value = data["value"]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"value {value!r} is no number")
        return {**data, "value": (value,)}

    @model_validator(mode="after")
    def _fits(self) -> "CaseScalar":
        value = self.values[0]
        kind = np.dtype(self.dtype)
        if kind.kind == "f":
            if abs(value) > float(np.finfo(kind).max):
                raise ValueError(f"value {value:g} does not fit in {self.dtype}")
        elif value != int(value) or not np.iinfo(kind).min <= value <= np.iinfo(kind).max:
            raise ValueError(f"value {value:g} does not fit in {self.dtype}")
        return self


class CaseTolerance(_Frozen):
    """`|actual - reference| <= atol + rtol * |reference|`, for every floating-point output."""

    atol: float = Field(ge=0)
    rtol: float = Field(ge=0)


class CaseFile(_Frozen):
    """What `case.json` holds."""

    tensors: dict[Name, CaseTensor] = Field(min_length=1, max_length=32)
    scalars: dict[Name, CaseScalar] = Field(default_factory=dict, max_length=32)
    symbols: tuple[dict[Name, Annotated[StrictInt, Field(ge=0, le=MOST_SYMBOL)]], ...] = Field(
        min_length=1, max_length=64
    )
    tolerance: CaseTolerance | None = None
    constraints: tuple[Constraint, ...] = Field(default=(), max_length=32)
    extra_cases: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> "CaseFile":
        self._check_symbols()
        self._check_names()
        if all(tensor.role is Role.INPUT for tensor in self.tensors.values()):
            raise ValueError("tensors: none has the role 'output' or 'inout'")
        known = frozenset(self.symbols[0])
        for name, tensor in self.tensors.items():
            for text in tensor.shape:
                _require(symbols_of(text), known, f"tensors.{name}.shape '{text}'")
        for text in self.constraints:
            _require(check_constraint(text), known, f"constraints '{text}'")
        for index, symbols in enumerate(self.symbols):
            self._check_sizes(symbols, f"symbols[{index}]")
        return self

    def bytes_of(self, symbols: Mapping[str, int]) -> int:
        """Return the bytes of all tensors; raises ValueError where a size is below zero."""
        total = 0
        for name, tensor in self.tensors.items():
            try:
                shape = [evaluate(text, symbols) for text in tensor.shape]
            except ExpressionError as error:
                raise ValueError(f"tensors.{name}.shape: {error}") from error
            if min(shape) < 0:
                raise ValueError(f"tensors.{name}.shape is {shape}, below zero")
            total += prod(shape) * tensor.dtype.itemsize
        return total

    def _check_symbols(self) -> None:
        names = set(self.symbols[0])
        if not names:
            raise ValueError("symbols[0]: names no symbol; give at least one size")
        for index, symbols in enumerate(self.symbols):
            if set(symbols) != names:
                raise ValueError(f"symbols[{index}] must name exactly {sorted(names)}")

    def _check_names(self) -> None:
        owners = {WAVE: "the wave size"}
        for kind, names in (
            ("symbols", self.symbols[0]),
            ("tensors", self.tensors),
            ("scalars", self.scalars),
        ):
            for name in names:
                if name in owners:
                    raise ValueError(f"{kind}: '{name}' is already {owners[name]}")
                owners[name] = f"in {kind}"

    def _check_sizes(self, symbols: Mapping[str, int], where: str) -> None:
        for text in self.constraints:
            if not holds(text, symbols):
                raise ValueError(f"{where}: does not obey the constraint '{text}'")
        try:
            size = self.bytes_of(symbols)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if size > MOST_CASE_BYTES:
            raise ValueError(
                f"{where}: its tensors have {size} bytes; at most {MOST_CASE_BYTES} are run"
            )


@dataclass(frozen=True)
class CaseFiles:
    """The files of one folder, read and each valid by itself."""

    folder: Path
    kernel: Path
    source: str
    launch_plan: LaunchPlan
    reference: str
    case: CaseFile

    @property
    def launch_path(self) -> Path:
        return self.folder / LAUNCH

    @property
    def reference_path(self) -> Path:
        return self.folder / REFERENCE

    @property
    def case_path(self) -> Path:
        return self.folder / CASE


def read_case_files(folder: Path, kernel: Path | None = None) -> CaseFiles:
    """Read a folder; `kernel` takes the place of its `kernel.hip`. Raises UserError."""
    if not folder.is_dir():
        raise UserError("is no folder", where=str(folder), fix="Give the folder of the files.")
    kernel = kernel or folder / KERNEL
    return CaseFiles(
        folder=folder,
        kernel=kernel,
        source=read_text(kernel),
        launch_plan=read_model(LaunchPlan, folder / LAUNCH),
        reference=read_text(folder / REFERENCE),
        case=read_model(CaseFile, folder / CASE),
    )


def _require(used: frozenset[str], known: frozenset[str], where: str) -> None:
    missing = used - known
    if missing:
        raise ValueError(f"{where} names {', '.join(sorted(missing))}; known are {sorted(known)}")
