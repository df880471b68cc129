"""Inputs, right answers and tolerances of a `reference.py`: asked in few processes, and checked.

Every process of the sandbox costs a fifth of a second, so what is known beforehand is asked
together: the inputs of all trials of a verdict first, then the answers to them.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Generic, TypeVar

import numpy as np

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.case_tolerance import PERTURBED, measured, perturbed
from rocm_pipeline.lab.contained_reference import (
    EXTRA,
    Answer,
    ContainedReference,
    Request,
)
from rocm_pipeline.lab.controls import lowered_inputs
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.subject import BoundTensor, Case, Role, Subject, Tolerance

MOST_TOGETHER_BYTES = 16 << 20
"""Tensors of the cases that are asked together; a larger case is asked alone."""
_MOST_KEPT_BYTES = 1 << 30
_FEWEST_KEPT = 4


@dataclass(frozen=True)
class Question:
    """A case with the seed of its values, whose right answer a verdict needs."""

    case: Case
    seed: int
    lowered: bool = False
    """Whether a control needs the answer to less precise inputs, too."""


class Answers:
    """What one subject is asked; each is asked of the sandbox once."""

    def __init__(
        self, subject: Subject, contained: ContainedReference, *, measures_tolerance: bool
    ) -> None:
        self._subject = subject
        self._contained = contained
        self._measures = measures_tolerance
        self._lock = RLock()
        self._inputs: _Kept[tuple[str, int]] = _Kept()
        self._outputs: _Kept[str] = _Kept()
        self._tolerances: dict[str, dict[DType, Tolerance]] = {}
        self._impossible: dict[str, str | None] = {}

    def inputs(self, case: Case, seed: int) -> Answer:
        """Return the inputs of `case` as a kernel's memory holds them."""
        with self._lock:
            key = (case.name, seed)
            found = self._inputs.get(key)
            if found is None:
                self._make_inputs([key], {case.name: case})
                found = self._inputs[key]
            return found

    def tolerance(self, case: Case) -> dict[DType, Tolerance]:
        """Return what honest implementations need on `case`, by the outputs' types."""
        with self._lock:
            if case.name not in self._tolerances:
                requests = self._tolerance_requests(case)
                self._set_tolerance(case, self._contained.ask(requests))
            return self._tolerances[case.name]

    def reference(
        self, inputs: dict[str, Array], symbols: dict[str, int], scalars: dict[str, float]
    ) -> Answer:
        """Return the right answer to one set of inputs; floating-point ones are widened already."""
        del scalars  # they are the case's own
        case = self._subject.public_cases[0].model_copy(update={"symbols": symbols})
        key = _key(case, inputs)
        with self._lock:
            found = self._outputs.get(key)
            if found is None:
                [found] = self._contained.ask([self._request(case, inputs)])
                self._keep_answer(case, key, found)
            return found

    def prepare(self, questions: Sequence[Question]) -> None:
        """Ask what will be needed, in two processes for as many questions as may be together.

        Raises UserError for the first question that `reference.py` cannot answer.
        """
        with self._lock:
            for together in self._groups(questions):
                if sum(self._bytes_of(each.case) for each in together) > MOST_TOGETHER_BYTES:
                    # one case; its arguments fill much of a disk, so nothing is asked beforehand
                    self._answer_alone(together[0])
                else:
                    self._prepare(together)

    def why_impossible(self, cases: Sequence[Case]) -> list[str | None]:
        """Say why `reference.py` cannot do each large case here, or None where it can."""
        with self._lock:
            new = [case for case in cases if case.name not in self._impossible]
            questions = [Question(case, _own_seed(case)) for case in new]
            for together in self._groups(questions):
                self._try([question.case for question in together])
            return [self._impossible[case.name] for case in cases]

    def _groups(self, questions: Sequence[Question]) -> Iterator[list[Question]]:
        group: list[Question] = []
        size = 0
        for question in questions:
            here = self._bytes_of(question.case)
            if group and size + here > MOST_TOGETHER_BYTES:
                yield group
                group, size = [], 0
            group.append(question)
            size += here
        if group:
            yield group

    def _bytes_of(self, case: Case) -> int:
        return self._subject.work_of(case)[0]

    def _answer_alone(self, question: Question) -> None:
        case = question.case
        inputs = self._widened(case, self.inputs(case, question.seed))
        self.reference(inputs, dict(case.symbols), {})

    def _prepare(self, questions: Sequence[Question]) -> None:
        cases = {question.case.name: question.case for question in questions}
        unmeasured = [name for name in cases if self._measures and name not in self._tolerances]
        keys = [
            *((question.case.name, question.seed) for question in questions),
            *((name, _own_seed(cases[name])) for name in unmeasured),
        ]
        self._make_inputs(keys, cases)
        wanted: dict[str, tuple[Case, Request]] = {}
        for question in questions:
            stored = self.inputs(question.case, question.seed)
            rounds = [stored]
            if question.lowered:
                rounds.append(lowered_inputs(self._subject.tensors_for(question.case), stored))
            for inputs in rounds:
                request = self._request(question.case, self._widened(question.case, inputs))
                wanted[_key(question.case, request.inputs or {})] = (question.case, request)
        new = {key: each for key, each in wanted.items() if key not in self._outputs}
        requests = [request for _, request in new.values()]
        for name in unmeasured:
            requests += self._tolerance_requests(cases[name])
        found = iter(self._contained.ask_repeatably(requests))
        for key, (case, _) in new.items():
            self._keep_answer(case, key, next(found))
        for name in unmeasured:
            self._set_tolerance(cases[name], [next(found) for _ in range(1 + PERTURBED)])

    def _try(self, cases: Sequence[Case]) -> None:
        """Draw the inputs of large cases and ask the answers to them, within `EXTRA`."""
        tried = {case.name: case for case in cases}
        requests = [self._input_request(case, _own_seed(case)) for case in tried.values()]
        drawn = self._contained.try_each(requests, EXTRA)
        possible: list[Case] = []
        for case, found in zip(tried.values(), drawn, strict=True):
            try:
                self._keep_inputs(case, _own_seed(case), _given(found))
            except UserError as error:
                self._impossible[case.name] = error.what
            else:
                possible.append(case)
        rounds = [self._widened(case, self.inputs(case, _own_seed(case))) for case in possible]
        asked = [self._request(*each) for each in zip(possible, rounds, strict=True)]
        answers = self._contained.try_each(asked, EXTRA)
        for case, inputs, found in zip(possible, rounds, answers, strict=True):
            self._impossible[case.name] = None
            try:
                self._keep_answer(case, _key(case, inputs), _given(found))
            except UserError as error:
                self._impossible[case.name] = error.what

    def _make_inputs(self, keys: Sequence[tuple[str, int]], cases: Mapping[str, Case]) -> None:
        new = [key for key in dict.fromkeys(keys) if key not in self._inputs]
        requests = [self._input_request(cases[name], seed) for name, seed in new]
        for (name, seed), found in zip(new, self._contained.ask(requests), strict=True):
            self._keep_inputs(cases[name], seed, found)

    def _keep_inputs(self, case: Case, seed: int, found: Answer) -> None:
        self._inputs[case.name, seed] = {
            t.name: self._stored(t, found[t.name], case.name) for t in self._read(case)
        }

    def _input_request(self, case: Case, seed: int) -> Request:
        names = tuple(tensor.name for tensor in self._read(case))
        return Request(case.symbols, names, case.name, seed=seed)

    def _read(self, case: Case) -> list[BoundTensor]:
        return [t for t in self._subject.tensors_for(case) if t.role is not Role.OUTPUT]

    def _request(self, case: Case, inputs: Mapping[str, Array]) -> Request:
        outputs = [t.name for t in self._subject.tensors_for(case) if t.role is not Role.INPUT]
        values = {**case.symbols, **_scalars(self._subject, case)}
        return Request(values, tuple(outputs), case.name, inputs=inputs)

    def _widened(self, case: Case, stored: Mapping[str, Array]) -> dict[str, Array]:
        return {
            tensor.name: _widened(tensor, stored[tensor.name])
            for tensor in self._subject.tensors_for(case)
            if tensor.name in stored
        }

    def _tolerance_requests(self, case: Case) -> list[Request]:
        """Ask for the right answer, and for those to inputs off by one rounding."""
        seed = _own_seed(case)
        inputs = self._widened(case, self.inputs(case, seed))
        rounds = [inputs, *(perturbed(inputs, seed + number) for number in range(PERTURBED))]
        return [self._request(case, each) for each in rounds]

    def _set_tolerance(self, case: Case, found: Sequence[Answer]) -> None:
        right, *others = found
        tensors = self._subject.tensors_for(case)
        for tensor in tensors:
            if tensor.role is not Role.INPUT:
                self._check_answer(tensor, right[tensor.name], case.name)
        longest = max(*case.symbols.values(), 1)
        self._tolerances[case.name] = {
            dtype: measured(dtype, [t.name for t in written], right, others, longest)
            for dtype in {t.dtype for t in tensors if t.dtype.is_floating}
            if (written := [t for t in tensors if t.role is not Role.INPUT and t.dtype is dtype])
        }

    def _keep_answer(self, case: Case, key: str, found: Answer) -> None:
        for tensor in self._subject.tensors_for(case):
            if tensor.role is not Role.INPUT:
                self._check_answer(tensor, found[tensor.name], case.name)
        self._outputs[key] = found

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


_Key = TypeVar("_Key")


class _Kept(Generic[_Key]):
    """Arrays that were asked for, the oldest forgotten first; those of large cases are large."""

    def __init__(self) -> None:
        self._kept: dict[_Key, Answer] = {}
        self._bytes = 0

    def __contains__(self, key: _Key) -> bool:
        return key in self._kept

    def __getitem__(self, key: _Key) -> Answer:
        return self._kept[key]

    def get(self, key: _Key) -> Answer | None:
        return self._kept.get(key)

    def __setitem__(self, key: _Key, values: Answer) -> None:
        self._kept[key] = values
        self._bytes += _size(values)
        while self._bytes > _MOST_KEPT_BYTES and len(self._kept) > _FEWEST_KEPT:
            self._bytes -= _size(self._kept.pop(next(iter(self._kept))))


def _given(found: Answer | UserError) -> Answer:
    if isinstance(found, UserError):
        raise found
    return found


def _size(values: Answer) -> int:
    return sum(array.nbytes for array in values.values())


def _key(case: Case, inputs: Mapping[str, Array]) -> str:
    """Name one call: the sizes and all values."""
    hashed = hashlib.sha256(repr(sorted(case.symbols.items())).encode())
    for name, array in sorted(inputs.items()):
        hashed.update(f"{name} {array.dtype} {array.shape}".encode())
        hashed.update(np.ascontiguousarray(array).data)
    return hashed.hexdigest()


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
