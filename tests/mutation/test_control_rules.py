"""When the controls let a target judge: each rule of `controls`, on made-up answers."""
# pyright: reportPrivateUsage=false

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab import controls
from rocm_pipeline.lab.controls import require_controls
from rocm_pipeline.lab.evidence import ControlRecord, Status
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Target
from rocm_pipeline.targets.subject import Case
from tests.fakes.values import a_target

TARGET = a_target()
REJECTED = ControlRecord(name="zeros", rejected=True, status=Status.WRONG_VALUE)
PASSED = ControlRecord(name="ones", rejected=False, status=Status.PASSED)


def refusal(ask: Callable[[], None]) -> UserError:
    with pytest.raises(UserError) as refused:
        ask()
    return refused.value


def test_a_target_without_controls_judges_nothing() -> None:
    words = str(refusal(lambda: require_controls(TARGET, ())))
    assert "nothing shows that a wrong kernel is rejected" in words
    assert "outputs of target row_softmax" in words


def test_controls_that_were_all_rejected_are_enough() -> None:
    require_controls(TARGET, (REJECTED,))
    require_controls(TARGET, (REJECTED, REJECTED))


def test_one_control_that_passes_is_too_many() -> None:
    for records in ((PASSED,), (REJECTED, PASSED), (PASSED, REJECTED)):
        words = str(refusal(lambda records=records: require_controls(TARGET, records)))
        assert "the control 'ones' passes every public case" in words
        assert "No tolerance tells it" in words


def judged(*worst: tuple[Status, float]) -> Any:
    found = tuple(controls._Worst("y", DType.FLOAT32, *each, False) for each in worst)
    return controls._Judged("zeros", found)


def test_the_largest_error_of_all_cases_counts_in_any_order() -> None:
    zeros = controls._controls(TARGET)["zeros"]
    small, large = question(5.0), question(50.0)
    ratios = {
        controls._judge("zeros", zeros, TARGET, order).worst[0].ratio
        for order in ((small, large), (large, small), (large,))
    }
    assert len(ratios) == 1


def test_every_output_and_type_must_reject_a_control() -> None:
    wrong, right = (Status.WRONG_VALUE, 7.0), (Status.PASSED, 0.5)
    assert judged(wrong, wrong).record == REJECTED
    for worst in ((right,), (wrong, right), (right, wrong), ()):
        record = judged(*worst).record
        assert not record.rejected
        assert record.status is Status.PASSED
    assert [each.ratio for each in judged(wrong, right).passed] == [0.5]


def question(expected: float) -> Any:
    """Return a case of which this is the right answer, whatever is given."""
    case = TARGET.public_cases[0]
    tensors = controls._outputs(TARGET, case)
    answer = {each.name: np.full(each.shape, expected) for each in tensors}
    return controls._Question(case, tensors, {}, {}, answer, {})


def test_a_control_is_judged_by_its_worst_case() -> None:
    """Zeros are right in the first case and wrong in the second; that is enough, in any order."""
    zeros = controls._controls(TARGET)["zeros"]
    right, wrong = question(0.0), question(5.0)
    for order in ((right, wrong), (wrong, right)):
        found = controls._judge("zeros", zeros, TARGET, order)
        assert len(found.worst) == 1
        assert found.worst[0].ratio > 1
        assert found.record == REJECTED
    assert not controls._judge("zeros", zeros, TARGET, [right]).record.rejected


@pytest.mark.parametrize(
    ("right_answers", "rejected", "asked"),
    [
        ((5.0, 0.0, 0.0, 0.0), True, 1),
        ((0.0, 5.0, 0.0, 0.0), True, 2),
        ((0.0, 0.0, 0.0, 5.0), True, 4),
        ((0.0, 0.0, 0.0, 0.0), False, 4),
    ],
)
def test_a_control_that_is_right_by_luck_is_rejected_by_another_draw(
    right_answers: tuple[float, ...], rejected: bool, asked: int
) -> None:
    """A sum at low precision was within the tolerance once, and its honest kernel refused."""
    draws: list[int] = []

    def zeros_alone(_target: Target) -> tuple[str, ...]:
        return ("zeros",)

    def first_case(target: Target) -> tuple[Case, ...]:
        return target.public_cases[:1]

    def drawn(_target: object, _reference: object, _case: object, seed: int, _low: bool) -> Any:
        draws.append(seed)
        return question(right_answers[seed - 7])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(controls, "controls_of", zeros_alone)
        patch.setattr(controls, "_cases", first_case)
        patch.setattr(controls, "_question", drawn)
        (record,) = controls.run_controls(TARGET, Reference(TARGET), 7)
    assert record.rejected is rejected
    assert draws == list(range(7, 7 + asked))


def test_where_a_control_does_not_apply_it_rejects_nothing() -> None:
    never = controls._Control(controls._constant(0.0), lambda _tensor: False)
    assert not controls._judge("zeros", never, TARGET, [question(5.0)]).record.rejected


def test_what_cannot_be_compared_is_infinitely_wrong() -> None:
    asked = question(5.0)
    nan = controls._Control(controls._constant(float("nan")))
    found = controls._compare(nan, asked.tensors[0], asked, TARGET.tolerance[DType.FLOAT32])
    assert (found.status, found.ratio) == (Status.NONFINITE, float("inf"))


class Loose(Target):
    """A target whose task may be what a trivial kernel does."""

    @property
    def may_be_trivial(self) -> bool:
        return True


LOOSE = Loose(**{name: getattr(TARGET, name) for name in Target.model_fields})


def test_a_control_that_is_the_task_itself_is_no_control_where_that_may_be() -> None:
    zeros = controls._controls(TARGET)["zeros"]
    assert controls._judge("zeros", zeros, LOOSE, (question(0.0), question(0.0))).worst == ()
    for order in ((0.0, 5.0), (5.0, 0.0)):
        found = controls._judge("zeros", zeros, LOOSE, tuple(map(question, order)))
        assert found.record.rejected, "one case in which it is wrong makes it a control"
    close = controls._judge("zeros", zeros, LOOSE, (question(1e-12),))
    assert not close.record.rejected, "within the tolerance is not the task itself"
    strict = controls._judge("zeros", zeros, TARGET, (question(0.0),))
    assert not strict.record.rejected, "a target may not be trivial"


def test_only_controls_that_are_the_task_itself_may_be_missing() -> None:
    names = controls.controls_of(TARGET)
    assert controls.required_controls(TARGET, ()) == names
    ran = [ControlRecord(name=name, rejected=True, status=Status.WRONG_VALUE) for name in names[1:]]
    assert controls.required_controls(LOOSE, ran) == names[1:]


def test_a_control_that_is_the_task_itself_is_recorded_for_a_target_alone() -> None:
    nothing = (
        "def reference(inputs, symbols, scalars):\n"
        "    return {'y': 0.0 * inputs['x'].astype('float64')}\n"
    )
    strict, loose = (each.model_copy(update={"reference": nothing}) for each in (TARGET, LOOSE))
    names = {c.name: c.rejected for c in controls.run_controls(strict, Reference(strict), 0)}
    assert names["zeros"] is False
    names = {c.name: c.rejected for c in controls.run_controls(loose, Reference(loose), 0)}
    assert "zeros" not in names
    assert names["ones"]
