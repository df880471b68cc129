"""A kernel of somebody's with its reference, as the harness judges it: a subject without target.

Inputs and right answers come from the folder's `reference.py`, in the sandbox. Sizes of the
harness's own obey the constraints, and a tolerance that was not given is measured for each case.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import prod

from pydantic import PrivateAttr

from rocm_pipeline.lab.case_answers import Answers, Question
from rocm_pipeline.lab.case_files import CaseFiles, CaseTolerance
from rocm_pipeline.lab.contained_reference import ContainedReference
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets.constraints import holds, settle
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.subject import (
    Calibration,
    Case,
    ReferenceFunction,
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
_TRIED_TOGETHER = 4
"""Large cases, each half of the one before, that one process of the reference tries."""
_OPERATIONS = 4
"""Assumed for each point of the space that the symbols span; no author is asked for a count."""


class CaseSubject(Subject):
    """The subject of one folder; `open_subject` makes it."""

    constraints: tuple[str, ...]
    extra_cases: bool
    given_tolerance: CaseTolerance | None
    wave_sizes: tuple[Wave, ...]
    _files: CaseFiles = PrivateAttr()
    _answers: Answers = PrivateAttr()
    _left_out: dict[str, str] = PrivateAttr(default_factory=dict)

    def attach(self, files: CaseFiles, answers: Answers) -> None:
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
    def may_run_smaller(self) -> bool:
        return True

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

    def prepare(self, questions: Sequence[Question]) -> None:
        """Ask the reference everything at once that a verdict will need; raises UserError."""
        self._answers.prepare(questions)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Say which large sizes `reference.py` cannot do here, why, and what was run instead."""
        return tuple(self._left_out.values())

    def own_large_cases(self, rng: random.Random) -> tuple[Case, ...]:
        if not self.extra_cases:
            return ()
        candidates = {name: self._large(name, rng) for name in self.symbols}
        # the largest of each symbol together: mostly the reference can do them all
        largest = {
            name: case
            for name, cases in candidates.items()
            if (case := next(cases, None)) is not None
        }
        reasons = self._answers.why_impossible(list(largest.values()))
        found = [
            case if why is None else self._smaller(name, case, why, candidates[name])
            for (name, case), why in zip(largest.items(), reasons, strict=True)
        ]
        return tuple(case for case in found if case is not None)

    def _smaller(self, name: str, first: Case, why: str, others: Iterator[Case]) -> Case | None:
        """Return the largest of the other cases that the reference can do; say what is left out."""
        possible: list[Case] = []
        while not possible and (cases := list(islice(others, _TRIED_TOGETHER))):
            reasons = self._answers.why_impossible(cases)
            possible = [case for case, each in zip(cases, reasons, strict=True) if each is None]
        instead = f"{possible[0].symbols[name]} was run" if possible else "none was run"
        self._left_out[name] = (
            f"{name} of {first.symbols[name]} left out, {instead}: reference.py {why}"
        )
        return possible[0] if possible else None

    def work_of(self, case: Case) -> tuple[int, int]:
        elements = sum(prod(tensor.shape) for tensor in self.tensors_for(case))
        points = prod(max(value, 1) for value in case.symbols.values())
        return self._files.case.bytes_of(case.symbols), max(elements, _OPERATIONS * points)

    def _large(self, name: str, rng: random.Random) -> Iterator[Case]:
        """Yield cases large in one symbol, each about half as large as the one before."""
        size = rng.randint(*LARGE) | 1
        largest = max(case.symbols[name] for case in self.public_cases)
        while size > largest:
            for most in (_SMALL, 1):
                drawn = {other: rng.randint(1, most) for other in self.symbols} | {name: size}
                case = self.public_cases[0].model_copy(update={"symbols": self.settled(drawn)})
                if case.symbols[name] <= largest or not self.admits(case):
                    continue
                if self.work_of(case)[1] <= _MOST_LARGE_OPERATIONS:
                    yield case
            size = size // 2 | 1


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
    answers = Answers(subject, contained, measures_tolerance=case.tolerance is None)
    subject.attach(files, answers)
    return subject
