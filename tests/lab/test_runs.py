"""What an agent's kernel is too slow for is not replaced: it could hide behind its slowness."""

from pathlib import Path
from typing import Any, cast

import pytest

from rocm_pipeline.lab.cases import Trial
from rocm_pipeline.lab.evidence import CaseRecord, Status
from rocm_pipeline.lab.runs import WholeRun, longest_first, settled, settled_sample
from rocm_pipeline.lab.sampled import SampledRun
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target
from tests.lab.slow_trials import record_of, trial_of

SIZE = 200_000


class _Yours(Target):
    """As a kernel that somebody verifies for themselves."""

    @property
    def may_run_smaller(self) -> bool:
        return True


class _Whole:
    """Stands for what executes: it finds the same at every size."""

    def __init__(self, status: Status) -> None:
        self.status = status
        self.tried: list[int] = []

    def run(self, builds: object, trial: Trial, *_: object, hurried: bool = False) -> Any:
        del builds, hurried
        self.tried.append(trial.case.symbols["n"])
        return record_of(trial, self.status)


class _Samples(_Whole):
    def run(self, builds: object, trial: Trial, *_: object, hurried: bool = False) -> Any:
        record = super().run(builds, trial, hurried=hurried)
        return [SampledRun(trial, record)]


def _yours(target: Target) -> Target:
    return _Yours.model_validate(target.model_dump())


def _settled(
    target: Target,
    origin: str,
    late: Status = Status.INCONCLUSIVE,
    whole: Status = Status.PASSED,
    sample: Status = Status.PASSED,
) -> tuple[CaseRecord, list[int], list[int]]:
    """Return what is said of a late run, and the sizes that were tried whole and by samples."""
    trial, runner, sampler = trial_of(target, SIZE, origin), _Whole(whole), _Samples(sample)
    builds = cast(Any, {32: None})
    [record] = settled(
        *(target, WholeRun(trial, 32), [record_of(trial, late)]),
        *(cast(Any, runner), cast(Any, sampler), builds),
    )
    return record, runner.tried, sampler.tried


def _settled_sample(target: Target, origin: str, found: Status) -> tuple[CaseRecord, list[int]]:
    trial, sampler = trial_of(target, SIZE, origin), _Samples(Status.PASSED)
    run = settled_sample(target, SampledRun(trial, record_of(trial, found)), cast(Any, sampler), {})
    return run.record, sampler.tried


@pytest.mark.parametrize("origin", ["held out", "large", "agent"])
def test_a_kernel_for_a_target_is_inconclusive_where_it_is_too_slow(
    target: Target, origin: str
) -> None:
    record, whole, sampled = _settled(target, origin)
    assert (record.status, record.stands_for) == (Status.INCONCLUSIVE, None)
    assert whole == sampled == []


@pytest.mark.parametrize("origin", ["held out", "large"])
def test_who_verifies_a_kernel_is_told_what_was_replaced(target: Target, origin: str) -> None:
    record, whole, _ = _settled(_yours(target), origin)
    assert record.status is Status.PASSED
    assert record.stands_for == trial_of(target, SIZE, origin).case.name
    assert max(whole) == SIZE // 2


def test_a_size_that_its_author_gave_is_not_replaced(target: Target) -> None:
    record, _, _ = _settled(_yours(target), "public")
    assert (record.status, record.stands_for) == (Status.INCONCLUSIVE, None)


def test_blocks_that_are_wrong_at_the_size_itself_tell_more_than_a_smaller_size(
    target: Target,
) -> None:
    record, _, sampled = _settled(_yours(target), "held out", sample=Status.WRONG_VALUE)
    assert (record.status, record.stands_for) == (Status.WRONG_VALUE, None)
    assert sampled == [SIZE]


def test_blocks_that_do_not_end_either_tell_nothing(target: Target) -> None:
    record, _, sampled = _settled(_yours(target), "held out", sample=Status.INCONCLUSIVE)
    assert record.status is Status.PASSED
    assert sampled == [SIZE]


@pytest.mark.parametrize(
    ("late", "smaller"),
    [(Status.TIMEOUT, Status.WRONG_VALUE), (Status.INCONCLUSIVE, Status.INCONCLUSIVE)],
)
def test_no_blocks_are_run_where_none_would_end(
    target: Target, late: Status, smaller: Status
) -> None:
    record, _, sampled = _settled(_yours(target), "held out", late, smaller)
    assert record.status is smaller
    assert sampled == []


@pytest.mark.parametrize(
    ("yours", "origin", "replaced"),
    [(False, "large", False), (True, "large", True), (True, "timed", False)],
)
def test_a_sample_of_a_large_case_is_treated_alike_and_a_timed_one_ends_itself(
    target: Target, yours: bool, origin: str, replaced: bool
) -> None:
    subject = _yours(target) if yours else target
    record, _ = _settled_sample(subject, origin, Status.INCONCLUSIVE)
    assert record.status is (Status.PASSED if replaced else Status.INCONCLUSIVE)
    assert (record.stands_for is not None) == replaced


@pytest.mark.parametrize("found", [Status.PASSED, Status.WRONG_VALUE])
def test_a_sample_that_ended_is_settled(target: Target, found: Status) -> None:
    record, tried = _settled_sample(_yours(target), "large", found)
    assert (record.status, record.stands_for) == (found, None)
    assert tried == []


def test_what_starts_many_work_items_takes_long_whatever_it_computes() -> None:
    target = library.load("row_softmax", Path("/nonexistent"))

    def run(rows: int, cols: int, twice: bool = False) -> WholeRun:
        symbols = {"rows": rows, "cols": cols}
        case = target.public_cases[0].model_copy(update={"symbols": symbols})
        return WholeRun(Trial(case, "held out", 7), 32, twice=twice)

    runs = [run(7, 33), run(256, 250), run(2000, 1), run(1000, 1, twice=True)]
    assert longest_first(target, target.baseline.launch_plan, runs) == [3, 2, 1, 0]
