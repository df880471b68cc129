"""Too slow for a CPU, or hung: told apart by smaller sizes, whatever a kernel's work grows like."""

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import pytest

from rocm_pipeline.lab.cases import Trial
from rocm_pipeline.lab.emulator.emulator import HURRIED_SHARE
from rocm_pipeline.lab.evidence import CaseRecord, Status
from rocm_pipeline.lab.slow_cases import (
    Execute,
    Speed,
    judge_at_its_size,
    judge_smaller,
    smaller_sizes,
    speed_of,
)
from rocm_pipeline.targets.spec import Symbol, Target
from rocm_pipeline.targets.subject import Case
from tests.lab.slow_trials import record_of, trial_of

Work = Callable[[int], float]
"""Deadlines that a kernel needs at a size."""
NEVER = float("inf")
SIZE = 200_001


def _execute(work: Work, late: Status, wrong_at: Sequence[int] = ()) -> Execute:
    """As a kernel with this work would fare; what does not end in its time is `late`."""

    def execute(trial: Trial, hurried: bool) -> list[CaseRecord]:
        n = trial.case.symbols["n"]
        if work(n) > (HURRIED_SHARE if hurried else 1):
            return [record_of(trial, late)]
        return [record_of(trial, Status.WRONG_VALUE if n in wrong_at else Status.PASSED)]

    return execute


def _never(n: int) -> float:
    del n
    return NEVER


def _twice_the_time(n: int) -> float:
    return 2 * n / SIZE


def _cubic(n: int) -> float:
    return 40 * (n / SIZE) ** 3


def _up_to(threshold: int) -> Work:
    """As a loop that ends at once up to this size, and beyond it never."""
    return lambda n: NEVER if n > threshold else n / 1e7


def _nothing(trial: Trial, hurried: bool) -> NoReturn:
    raise AssertionError(f"{trial.case.name} was executed, hurried: {hurried}")


def _halved_sizes(target: Target, n: int) -> list[int]:
    return [case.symbols["n"] for case in smaller_sizes(target, trial_of(target, n).case)]


def _judged(target: Target, work: Work, late: Status = Status.TIMEOUT) -> CaseRecord:
    trial = trial_of(target, SIZE)
    assert work(SIZE) > 1
    [record] = judge_smaller(target, trial, [record_of(trial, late)], _execute(work, late))
    return record


@pytest.mark.parametrize("late", [Status.TIMEOUT, Status.INCONCLUSIVE])
@pytest.mark.parametrize("power", [0.5, 1, 1.5, 2, 3])
@pytest.mark.parametrize("times", [1.01, 3, 40, 200, 900, 1e6])
def test_honest_work_is_no_hang_but_is_judged_where_it_ends(
    target: Target, power: float, times: float, late: Status
) -> None:
    def work(n: int) -> float:
        return times * (n / SIZE) ** power

    found = _judged(target, work, late)
    smallest = work(smaller_sizes(target, trial_of(target, SIZE).case)[0].symbols["n"])
    if smallest > HURRIED_SHARE:
        assert found.status is late  # no size at all ends: nothing is known
        return
    n = found.case.symbols["n"]
    assert found.status is Status.PASSED
    assert found.stands_for == trial_of(target, SIZE).case.name
    assert work(n) <= 1
    assert n == (SIZE + 1) // 2 or work(n) > HURRIED_SHARE  # the next one may not end


@pytest.mark.parametrize("threshold", [1, 2, 1000, 32_767, 65_535, 150_000])
def test_a_loop_that_ends_only_up_to_some_size_is_a_hang(target: Target, threshold: int) -> None:
    found = _judged(target, _up_to(threshold))
    assert (found.status, found.stands_for) == (Status.TIMEOUT, None)
    assert found.case.symbols["n"] > threshold


@pytest.mark.parametrize("threshold", [1000, 150_000])
def test_what_goes_on_is_no_hang_however_its_work_grows(target: Target, threshold: int) -> None:
    found = _judged(target, _up_to(threshold), Status.INCONCLUSIVE)
    assert (found.status, found.stands_for) == (Status.PASSED, trial_of(target, SIZE).case.name)
    ends = [n for n in _halved_sizes(target, SIZE) if n <= threshold]
    assert found.case.symbols["n"] == max(ends)


def test_a_kernel_that_never_ends_hangs_at_its_own_size(target: Target) -> None:
    assert _judged(target, _never) == record_of(trial_of(target, SIZE), Status.TIMEOUT)


@pytest.mark.parametrize("late", [Status.TIMEOUT, Status.INCONCLUSIVE])
@pytest.mark.parametrize("place", [-3, -1])
def test_a_defect_at_a_smaller_size_is_told(target: Target, place: int, late: Status) -> None:
    trial = trial_of(target, SIZE)
    wrong = smaller_sizes(target, trial.case)[place].symbols["n"]
    execute = _execute(lambda n: n / 2e6, late, [wrong])
    [record] = judge_smaller(target, trial, [record_of(trial, late)], execute)
    assert (record.status, record.case.symbols["n"]) == (Status.WRONG_VALUE, wrong)


def test_a_trial_takes_few_executions(target: Target) -> None:
    execute, tried = _execute(_up_to(150_000), Status.TIMEOUT), list[int]()

    def counted(trial: Trial, hurried: bool) -> Sequence[CaseRecord]:
        tried.append(trial.case.symbols["n"])
        return execute(trial, hurried)

    judge_smaller(
        target, trial_of(target, SIZE), [record_of(trial_of(target, SIZE), Status.TIMEOUT)], counted
    )
    assert tried == [-(-SIZE >> halvings) for halvings in range(8, 0, -1)]


@pytest.mark.parametrize("late", [Status.TIMEOUT, Status.INCONCLUSIVE])
def test_the_smallest_size_there_is_stays_as_it_is(target: Target, late: Status) -> None:
    trial = trial_of(target, 1)
    records = [record_of(trial, late)]
    assert judge_smaller(target, trial, records, _nothing) == records


def test_one_smaller_size_is_enough(target: Target) -> None:
    trial = trial_of(target, 2)
    execute = _execute(lambda n: n / 10, Status.INCONCLUSIVE)
    [record] = judge_smaller(target, trial, [record_of(trial, Status.INCONCLUSIVE)], execute)
    assert (record.status, record.case.symbols["n"]) == (Status.PASSED, 1)


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize(
    ("work", "status"),
    [
        (_twice_the_time, Status.INCONCLUSIVE),
        (_cubic, Status.INCONCLUSIVE),
        (_up_to(1000), Status.TIMEOUT),
        (_up_to(150_000), Status.TIMEOUT),
        (_never, Status.TIMEOUT),
    ],
)
def test_nothing_smaller_stands_for_a_size_that_is_not_replaced(
    target: Target, work: Work, status: Status, public: bool
) -> None:
    trial = trial_of(target, SIZE, "public" if public else "held out")
    late = [record_of(trial, Status.TIMEOUT)]
    [record] = judge_at_its_size(target, trial, late, _execute(work, Status.TIMEOUT))
    assert (record.case, record.stands_for) == (trial.case, None)
    assert {record.status, *(finding.status for finding in record.findings)} == {status}
    assert (record == late[0]) == (status is Status.TIMEOUT)


def test_what_is_too_slow_at_its_size_says_so(target: Target) -> None:
    trial = trial_of(target, SIZE)
    late = [record_of(trial, Status.TIMEOUT)]
    slow = judge_at_its_size(target, trial, late, _execute(_twice_the_time, Status.TIMEOUT))
    assert "at this size" in slow[0].findings[0].message
    assert speed_of(slow) is Speed.ADVANCES


def test_what_goes_on_at_its_size_is_not_tried_at_others(target: Target) -> None:
    trial = trial_of(target, SIZE)
    late = [record_of(trial, Status.INCONCLUSIVE)]
    assert judge_at_its_size(target, trial, late, _nothing) == late


def test_a_defect_is_not_excused_as_slowness(target: Target) -> None:
    trial = trial_of(target, SIZE)
    late = [record_of(trial, Status.TIMEOUT)]
    wrong_at = -(-SIZE >> 8)
    execute = _execute(_twice_the_time, Status.TIMEOUT, [wrong_at])
    [record] = judge_at_its_size(target, trial, late, execute)
    assert (record.status, record.case, record.stands_for) == (Status.TIMEOUT, trial.case, None)
    [finding] = record.findings
    assert finding.status is Status.TIMEOUT
    words = f"at n={wrong_at},io=f32,factor=2, where they end, WRONG_VALUE: found"
    assert finding.message == f"found; {words}"


def test_of_two_executions_only_what_stood_is_excused(target: Target) -> None:
    trial = trial_of(target, SIZE)
    late = [record_of(trial, status) for status in (Status.TIMEOUT, Status.INCONCLUSIVE)]
    stood, went_on = judge_at_its_size(
        target, trial, late, _execute(_twice_the_time, Status.TIMEOUT)
    )
    assert stood.status is Status.INCONCLUSIVE
    assert went_on == late[1]


@pytest.mark.parametrize(
    ("least", "size", "halved"),
    [
        (1, 100, [1, 2, 4, 7, 13, 25, 50]),
        (1, 2, [1]),
        (1, 1, []),
        (10, 100, [13, 25, 50]),
        (0, 4, [1, 2]),  # an empty tensor takes no time and says nothing
    ],
)
def test_sizes_are_halved_as_far_as_the_symbol_allows(
    target: Target, least: int, size: int, halved: list[int]
) -> None:
    ranged = target.model_copy(update={"symbols": {"n": Symbol(min=least, max=1000)}})
    assert _halved_sizes(ranged, size) == halved


class _OnlyGiven(Target):
    @property
    def only_given_sizes(self) -> bool:
        return True


class _OnlyEven(Target):
    def admits(self, case: Case) -> bool:
        return case.symbols["n"] % 2 == 0


@pytest.mark.parametrize(("kind", "halved"), [(_OnlyGiven, []), (_OnlyEven, [50])])
def test_sizes_are_halved_as_far_as_the_target_allows(
    target: Target, kind: type[Target], halved: list[int]
) -> None:
    assert _halved_sizes(kind.model_validate(target.model_dump()), 100) == halved


def test_the_largest_symbol_is_halved_and_the_others_stay(target: Target) -> None:
    two = target.model_copy(update={"symbols": {name: Symbol(max=1000) for name in "mn"}})
    case = target.public_cases[0].model_copy(update={"symbols": {"m": 3, "n": 8}})
    sizes = [(half.symbols["m"], half.symbols["n"]) for half in smaller_sizes(two, case)]
    assert sizes == [(1, 1), (1, 2), (2, 2), (3, 2), (3, 4)]


class _Shared(Target):
    def settled(self, sizes: Mapping[str, int]) -> dict[str, int]:
        return {"n": sizes["n"], "rest": 9 - sizes["n"]}


def test_what_one_symbol_loses_to_another_makes_no_case_smaller(target: Target) -> None:
    symbols = {"n": Symbol(max=1000), "rest": Symbol(choices=(1, 5))}
    shared = _Shared.model_validate(target.model_dump()).model_copy(update={"symbols": symbols})
    case = target.public_cases[0].model_copy(update={"symbols": {"n": 8, "rest": 1}})
    assert smaller_sizes(shared, case) == []


def test_a_defect_counts_more_than_the_time(target: Target) -> None:
    trial = trial_of(target, SIZE)
    late, wrong = (record_of(trial, s) for s in (Status.INCONCLUSIVE, Status.RACE))
    assert speed_of([late, wrong]) is Speed.ENDED
    assert speed_of([record_of(trial, Status.PASSED)]) is Speed.ENDED
    assert speed_of([late]) is Speed.ADVANCES
