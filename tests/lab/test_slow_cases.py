"""Too slow for a CPU, or hung: told apart by smaller sizes, whatever a kernel's work grows like."""

from collections.abc import Callable, Sequence

import pytest

from rocm_pipeline.lab.cases import Trial
from rocm_pipeline.lab.emulator.emulator import HURRIED_SHARE
from rocm_pipeline.lab.evidence import CaseRecord, Finding, Status
from rocm_pipeline.lab.slow_cases import (
    Execute,
    Speed,
    judge_at_its_size,
    judge_smaller,
    smaller_sizes,
    speed_of,
)
from rocm_pipeline.targets.spec import Target

Work = Callable[[int], float]
"""Deadlines that a kernel needs at a size."""
NEVER = float("inf")
SIZE = 200_001


def _trial(target: Target, n: int = SIZE, *, public: bool = False) -> Trial:
    case = target.public_cases[0].model_copy(update={"symbols": {"n": n}})
    return Trial(case, "public" if public else "held out", 7)


def _record(trial: Trial, status: Status) -> CaseRecord:
    passed = status is Status.PASSED
    return CaseRecord(
        case=trial.case,
        origin=trial.origin,  # pyright: ignore[reportArgumentType]  # none of these is "agent"
        seed=trial.seed,
        wave=32,
        lane_order="forward",
        status=status,
        max_absolute_error=0 if passed else None,
        worst_ratio=0 if passed else None,
        findings=() if passed else (Finding(status=status, message="found"),),
    )


def _execute(work: Work, late: Status, wrong_at: Sequence[int] = ()) -> Execute:
    """As a kernel with this work would fare; what does not end in its time is `late`."""

    def execute(trial: Trial, hurried: bool) -> list[CaseRecord]:
        n = trial.case.symbols["n"]
        if work(n) > (HURRIED_SHARE if hurried else 1):
            return [_record(trial, late)]
        return [_record(trial, Status.WRONG_VALUE if n in wrong_at else Status.PASSED)]

    return execute


def _never(n: int) -> float:
    del n
    return NEVER


def _judged(target: Target, work: Work, late: Status = Status.TIMEOUT) -> CaseRecord:
    trial = _trial(target)
    assert work(SIZE) > 1
    [record] = judge_smaller(target, trial, [_record(trial, late)], _execute(work, late))
    return record


@pytest.mark.parametrize("late", [Status.TIMEOUT, Status.INCONCLUSIVE])
@pytest.mark.parametrize("power", [0.5, 1, 1.5, 2, 3])
@pytest.mark.parametrize("times", [1.01, 3, 40, 900])
def test_honest_work_is_no_hang_but_is_judged_where_it_ends(
    target: Target, power: float, times: float, late: Status
) -> None:
    def work(n: int) -> float:
        return times * (n / SIZE) ** power

    found = _judged(target, work, late)
    smallest = work(smaller_sizes(target, _trial(target).case)[0].symbols["n"])
    if smallest > HURRIED_SHARE:
        assert found.status is late  # no size at all ends: nothing is known
        return
    n = found.case.symbols["n"]
    assert found.status is Status.PASSED
    assert found.stands_for == _trial(target).case.name
    assert work(n) <= 1
    assert n == SIZE // 2 or work(2 * n + 1) > HURRIED_SHARE


@pytest.mark.parametrize("threshold", [1, 2, 1000, 32_767, 65_535, 150_000])
def test_a_loop_that_ends_only_up_to_some_size_is_a_hang(target: Target, threshold: int) -> None:
    def work(n: int) -> float:
        return NEVER if n > threshold else n / 1e7

    found = _judged(target, work)
    assert (found.status, found.stands_for) == (Status.TIMEOUT, None)
    assert found.case.symbols["n"] > threshold


def test_a_kernel_that_never_ends_is_a_hang(target: Target) -> None:
    assert _judged(target, _never).status is Status.TIMEOUT


def test_a_defect_at_a_smaller_size_is_told(target: Target) -> None:
    trial, sizes = _trial(target), smaller_sizes(target, _trial(target).case)
    wrong = sizes[-3].symbols["n"]
    execute = _execute(lambda n: n / 2e6, Status.INCONCLUSIVE, [wrong])
    [record] = judge_smaller(target, trial, [_record(trial, Status.INCONCLUSIVE)], execute)
    assert (record.status, record.case.symbols["n"]) == (Status.WRONG_VALUE, wrong)


def test_nothing_smaller_stands_for_a_given_size(target: Target) -> None:
    trial = _trial(target, public=True)
    late = [_record(trial, Status.TIMEOUT)]
    slow = judge_at_its_size(target, trial, late, _execute(lambda n: n / 1e5, Status.TIMEOUT))
    assert [record.status for record in slow] == [Status.INCONCLUSIVE]
    assert slow[0].case == trial.case
    assert "at this size" in slow[0].findings[0].message
    assert speed_of(slow) is Speed.ADVANCES

    hung = judge_at_its_size(target, trial, late, _execute(_never, Status.TIMEOUT))
    assert list(hung) == late


def test_sizes_are_halved_as_far_as_the_target_allows(target: Target) -> None:
    sizes = [case.symbols["n"] for case in smaller_sizes(target, _trial(target, 100).case)]
    assert sizes == [1, 3, 6, 12, 25, 50]


def test_a_defect_counts_more_than_the_time(target: Target) -> None:
    trial = _trial(target)
    late, wrong = (_record(trial, s) for s in (Status.INCONCLUSIVE, Status.RACE))
    assert speed_of([late, wrong]) is Speed.ENDED
    assert speed_of([_record(trial, Status.PASSED)]) is Speed.ENDED
    assert speed_of([late]) is Speed.ADVANCES
