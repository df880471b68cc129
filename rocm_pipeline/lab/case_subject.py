"""A kernel of somebody's with its reference, as the harness judges it: a subject without target.

Inputs and right answers come from the folder's `reference.py`, in the sandbox. Sizes of the
harness's own obey the constraints, and a tolerance that was not given is measured for each case.
"""

import hashlib
import random
from collections.abc import Mapping
from math import prod
from threading import RLock
from typing import TypeVar

import numpy as np
from pydantic import PrivateAttr

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.case_files import CaseFiles, CaseTolerance
from rocm_pipeline.lab.case_tolerance import PERTURBED, measured, perturbed
from rocm_pipeline.lab.contained_reference import ContainedReference, Request
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets.constraints import holds, settle
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.subject import (
    BoundTensor,
    Calibration,
    Case,
    ReferenceFunction,
    Role,
    Subject,
    Symbol,
    TensorSpec,
    Tolerance,
    Wave,
)

LARGE = (196_613, 262_143)
"""Sizes of one symbol, the others small: beyond 65,535 blocks, and beyond any LDS or local array.

Three times the limit of a grid, so that a grid cut there leaves most of the outputs out.
"""
MOST_DRAWN_BYTES = 16 << 20
_MOST_LARGE_OPERATIONS = 4_000_000
_SMALL = 4
_OPERATIONS = 4
"""Assumed for each point of the space that the symbols span; no author is asked for a count."""
_KEPT = 64


class CaseSubject(Subject):
    """The subject of one folder; `open_subject` makes it."""

    constraints: tuple[str, ...]
    extra_cases: bool
    given_tolerance: CaseTolerance | None
    wave_sizes: tuple[Wave, ...]
    _files: CaseFiles = PrivateAttr()
    _answers: "Answers" = PrivateAttr()

    def attach(self, files: CaseFiles, answers: "Answers") -> None:
        """Give it what it is asked from; no part of its content."""
        self._files = files
        self._answers = answers

    @property
    def reference_place(self) -> str:
        return str(self._files.reference_path)

    @property
    def waves(self) -> tuple[Wave, ...]:
        return self.wave_sizes

    @property
    def only_given_sizes(self) -> bool:
        return not self.extra_cases

    def own_inputs(self, case: Case, seed: int) -> dict[str, Array]:
        return dict(self._answers.inputs(case, seed))

    def own_reference(self) -> ReferenceFunction:
        return self._answers.reference

    def tolerance_for(self, case: Case) -> Mapping[DType, Tolerance]:
        given = self.given_tolerance
        if given is None:
            return self._answers.tolerance(case)
        how = Calibration(how="given in case.json")
        tolerance = Tolerance(absolute=given.atol, relative=given.rtol, calibration=how)
        return {tensor.dtype: tolerance for tensor in self.tensors_for(case)}

    @property
    def may_be_trivial(self) -> bool:
        return True

    def settled(self, sizes: Mapping[str, int]) -> dict[str, int]:
        return settle(self.constraints, sizes)

    def admits(self, case: Case) -> bool:
        if not all(symbol.allows(case.symbols[name]) for name, symbol in self.symbols.items()):
            return False
        if not all(holds(text, case.symbols) for text in self.constraints):
            return False
        try:
            return self._files.case.bytes_of(case.symbols) <= MOST_DRAWN_BYTES
        except ValueError:
            return False

    def own_large_cases(self, rng: random.Random) -> tuple[Case, ...]:
        if not self.extra_cases:
            return ()
        found = [self._large(name, rng) for name in self.symbols]
        return tuple(case for case in found if case is not None)

    def work_of(self, case: Case) -> tuple[int, int]:
        elements = sum(prod(tensor.shape) for tensor in self.tensors_for(case))
        points = prod(max(value, 1) for value in case.symbols.values())
        return self._files.case.bytes_of(case.symbols), max(elements, _OPERATIONS * points)

    def _large(self, name: str, rng: random.Random) -> Case | None:
        """A case large in one symbol, smaller where tensors or the reference would be too large."""
        size = rng.randint(*LARGE) | 1
        largest = max(case.symbols[name] for case in self.public_cases)
        while size > largest:
            for most in (_SMALL, 1):
                drawn = {other: rng.randint(1, most) for other in self.symbols} | {name: size}
                case = self.public_cases[0].model_copy(update={"symbols": self.settled(drawn)})
                if case.symbols[name] <= largest or not self.admits(case):
                    continue
                if self.work_of(case)[1] <= _MOST_LARGE_OPERATIONS and self._answers.has(case):
                    return case
            size = size // 2 | 1
        return None


class Answers:
    """Inputs, right answers and tolerances of one subject; each is asked of the sandbox once."""

    def __init__(self, subject: CaseSubject, contained: ContainedReference) -> None:
        self._subject = subject
        self._contained = contained
        self._lock = RLock()
        self._inputs: dict[tuple[str, int], dict[str, Array]] = {}
        self._outputs: dict[str, dict[str, Array]] = {}
        self._tolerances: dict[str, dict[DType, Tolerance]] = {}

    def inputs(self, case: Case, seed: int) -> dict[str, Array]:
        """Return the inputs of `case` as a kernel's memory holds them."""
        with self._lock:
            if (case.name, seed) not in self._inputs:
                self._make_inputs(case, seed)
            return self._inputs[case.name, seed]

    def tolerance(self, case: Case) -> dict[DType, Tolerance]:
        """Return what honest implementations need on `case`, by the outputs' types."""
        with self._lock:
            if case.name not in self._tolerances:
                self._tolerances[case.name] = self._measure(case)
            return self._tolerances[case.name]

    def has(self, case: Case) -> bool:
        """Say whether `reference.py` can do a case of this size here."""
        try:
            self.tolerance(case)
        except UserError:
            return False
        return True

    def reference(
        self, inputs: dict[str, Array], symbols: dict[str, int], scalars: dict[str, float]
    ) -> dict[str, Array]:
        """Return the right answer to one set of inputs; floating-point ones are widened already."""
        case = self._subject.public_cases[0].model_copy(update={"symbols": symbols})
        hashed = hashlib.sha256(case.name.encode())
        for name, array in inputs.items():
            hashed.update(f"{name} {array.dtype} {array.shape}".encode())
            hashed.update(np.ascontiguousarray(array).data)
        key = hashed.hexdigest()
        del scalars  # they are the case's own
        with self._lock:
            if key not in self._outputs:
                [found] = self._ask(case, [inputs])
                _keep(self._outputs, key, found)
            return self._outputs[key]

    def _make_inputs(self, case: Case, seed: int) -> None:
        """Draw inputs, and those by which the case's tolerance is measured, in one process."""
        tensors = [t for t in self._subject.tensors_for(case) if t.role is not Role.OUTPUT]
        names = tuple(tensor.name for tensor in tensors)
        seeds = [
            each
            for each in dict.fromkeys((seed, _own_seed(case)))
            if (case.name, each) not in self._inputs
        ]
        requests = [Request(case.symbols, names, seed=each) for each in seeds]
        for each, found in zip(seeds, self._contained.ask(requests, case.name), strict=True):
            stored = {t.name: self._stored(t, found[t.name], case.name) for t in tensors}
            _keep(self._inputs, (case.name, each), stored)

    def _measure(self, case: Case) -> dict[DType, Tolerance]:
        tensors = self._subject.tensors_for(case)
        seed = _own_seed(case)
        stored = self.inputs(case, seed)
        inputs = {t.name: _widened(t, stored[t.name]) for t in tensors if t.name in stored}
        right, *others = self._ask(
            case, [inputs, *(perturbed(inputs, seed + number) for number in range(PERTURBED))]
        )
        longest = max(*case.symbols.values(), 1)
        return {
            dtype: measured(dtype, [t.name for t in written], right, others, longest)
            for dtype in {t.dtype for t in tensors if t.dtype.is_floating}
            if (written := [t for t in tensors if t.role is not Role.INPUT and t.dtype is dtype])
        }

    def _ask(self, case: Case, rounds: list[dict[str, Array]]) -> list[dict[str, Array]]:
        outputs = [t for t in self._subject.tensors_for(case) if t.role is not Role.INPUT]
        names = tuple(tensor.name for tensor in outputs)
        values = {**case.symbols, **_scalars(self._subject, case)}
        requests = [Request(values, names, inputs=inputs) for inputs in rounds]
        found = self._contained.ask(requests, case.name)
        for tensor in outputs:
            self._check_answer(tensor, found[0][tensor.name], case.name)
        return found

    def _check_answer(self, tensor: BoundTensor, array: Array, where: str) -> None:
        name = tensor.name
        if array.shape != tensor.shape:
            raise self._contained.broken(
                f"reference returns '{name}' of shape {array.shape}, not {tensor.shape} on {where}"
            )
        if not np.isfinite(array).all():
            raise self._contained.broken(f"reference is not finite in '{name}' on {where}")
        if not tensor.dtype.is_floating:
            if not np.array_equal(array, array.astype(tensor.dtype.numpy)):
                raise self._contained.broken(
                    f"reference gives '{name}' values on {where} that {tensor.dtype.value} "
                    "cannot hold"
                )
            return
        if array.dtype != np.float64:
            raise self._contained.broken(
                f"reference returns '{name}' in {array.dtype}; compute it in float64"
            )
        largest = float(np.abs(array).max(initial=0.0))
        if largest > tensor.dtype.largest:
            raise self._contained.broken(
                f"reference gives {largest:.4g} for '{name}' on {where}, which "
                f"{tensor.dtype.value} cannot hold; give smaller inputs in make_inputs"
            )

    def _stored(self, tensor: BoundTensor, array: Array, where: str) -> Array:
        name, dtype = tensor.name, tensor.dtype
        if array.shape != tensor.shape:
            raise self._contained.broken(
                f"make_inputs returns '{name}' of shape {array.shape}, not {tensor.shape} "
                f"on {where}"
            )
        if dtype.is_floating != (array.dtype.kind == "f"):
            kind = "floating-point" if dtype.is_floating else "integer or bool"
            raise self._contained.broken(
                f"make_inputs returns '{name}' in {array.dtype}; a {dtype.value} tensor takes "
                f"{kind} arrays"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            stored = dtype.pack(array)
        if dtype.is_floating:
            unheld = np.isnan(dtype.unpack(stored).astype(np.float64))
        else:
            unheld = stored != array
        if unheld.any():
            raise self._contained.broken(
                f"make_inputs gives '{name}' values on {where} that {dtype.value} cannot hold "
                "(or that are not numbers)"
            )
        return np.ascontiguousarray(stored)


def open_subject(
    files: CaseFiles,
    sandbox: Sandbox,
    *,
    architectures: tuple[str, ...],
    waves: tuple[Wave, ...],
) -> CaseSubject:
    """Return the subject of a folder's files."""
    case = files.case
    given = case.symbols
    subject = CaseSubject(
        name="verified",
        symbols={
            name: Symbol(
                min=min(1, *(symbols[name] for symbols in given)),
                max=max(LARGE[1] + 1, *(symbols[name] for symbols in given)),
            )
            for name in given[0]
        },
        tensors={
            name: TensorSpec(role=tensor.role, dtype=tensor.dtype.value, shape=tensor.shape)
            for name, tensor in case.tensors.items()
        },
        scalars=dict(case.scalars),
        public_cases=tuple(
            Case(
                symbols=symbols,
                dtypes={},
                scalars={name: scalar.values[0] for name, scalar in case.scalars.items()},
            )
            for symbols in given
        ),
        reference=files.reference,
        architectures=architectures,
        constraints=case.constraints,
        extra_cases=case.extra_cases,
        given_tolerance=case.tolerance,
        wave_sizes=waves,
    )
    contained = ContainedReference(sandbox, files.reference, files.reference_path)
    subject.attach(files, Answers(subject, contained))
    return subject


_Key = TypeVar("_Key")


def _keep(kept: dict[_Key, dict[str, Array]], key: _Key, values: dict[str, Array]) -> None:
    """Remember some; those of large cases are large."""
    while len(kept) >= _KEPT:
        kept.pop(next(iter(kept)))
    kept[key] = values


def _own_seed(case: Case) -> int:
    """One for each case, so that two verdicts on one kernel use the same tolerance."""
    return int.from_bytes(hashlib.sha256(case.name.encode()).digest()[:4], "big")


def _widened(tensor: BoundTensor, stored: Array) -> Array:
    return tensor.dtype.unpack(stored).astype(np.float64) if tensor.dtype.is_floating else stored


def _scalars(subject: Subject, case: Case) -> dict[str, int | float]:
    return {
        name: value if subject.scalars[name].dtype.startswith("float") else int(value)
        for name, value in case.scalars.items()
    }
