"""The same values twice: equal inputs must give equal bits, whatever ran before."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
import pytest

from rocm_pipeline.lab.cases import Trial
from rocm_pipeline.lab.emulator import Emulator, EmulatorBuild, EmulatorRun
from rocm_pipeline.lab.evidence import CaseRecord, Status
from rocm_pipeline.lab.execution import CaseRunner
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.spec import Target

BUILD = EmulatorBuild(
    library=b"", source_sha256="", wave=32, kernels={}, sites=(), variables=(), operations=()
)
Answer = Callable[[Array, bool, int], Array]


def doubled(x: Array, _reverse: bool, _number: int) -> Array:
    return np.float32(2) * x


class Answering:
    """Stands for the emulator where it could not show an order: answers as a function says."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.inputs: list[list[Array]] = []

    def run(
        self,
        _build: object,
        _plan: object,
        buffers: Mapping[str, Array],
        *_others: object,
        reverse: bool,
        later_rounds: Sequence[Mapping[str, Array]],
        **_settings: object,
    ) -> EmulatorRun:
        rounds = [buffers, *later_rounds]
        self.inputs.append([each["x"] for each in rounds])
        first, *later = [
            {"y": self._answer(each["x"], reverse, number)} for number, each in enumerate(rounds)
        ]
        return EmulatorRun(Status.PASSED, (), first, (), (), tuple(later))


def run_twice(target: Target, answering: Answering) -> tuple[CaseRecord, CaseRecord]:
    runner = CaseRunner(target, target.baseline.launch_plan, cast(Emulator, answering))
    return runner.run_twice(BUILD, Trial(target.public_cases[0], "repeat", 5), 32)


def test_equal_answers_pass_and_the_values_come_in_both_orders(target: Target) -> None:
    answering = Answering(doubled)
    records = run_twice(target, answering)
    assert [record.status for record in records] == [Status.PASSED, Status.PASSED]
    assert [record.elements for record in records] == [2000, 2000]
    (first, second), (third, fourth) = answering.inputs
    assert np.array_equal(first, fourth)
    assert np.array_equal(second, third)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("by", ["order", "number of calls"])
def test_answers_within_the_tolerance_that_differ_in_a_bit_are_not_deterministic(
    target: Target, by: str
) -> None:
    def answer(x: Array, reverse: bool, number: int) -> Array:
        off = reverse if by == "order" else number == 1
        return np.nextafter(np.float32(2) * x, np.float32(np.inf)) if off else np.float32(2) * x

    first, second = run_twice(target, Answering(answer))
    assert first.status is Status.PASSED
    assert second.status is Status.NONDETERMINISTIC
    assert "equal inputs gave y" in second.findings[0].message


def test_an_answer_remembered_from_the_round_before_is_wrong(target: Target) -> None:
    kept: list[Array] = []

    def answer(x: Array, _reverse: bool, number: int) -> Array:
        if number == 0:
            kept.append(np.float32(2) * x)
        return kept[-1]

    first, _ = run_twice(target, Answering(answer))
    assert first.status is Status.WRONG_VALUE
