"""Each rule of comparing by itself: what still counts with another version, what rounding moves."""

from typing import Any

import pytest

from rocm_pipeline.bundle.claims import Row, Verdict
from rocm_pipeline.bundle.compare import Exactness, compare, not_asked
from rocm_pipeline.lab.evidence import (
    CaseRecord,
    CompileRecord,
    ControlRecord,
    Evidence,
    Finding,
    Speedup,
    Status,
    Tier,
)
from tests.fakes.values import a_candidate, a_passing_evidence, a_target

target = a_target()
RECORDED = a_passing_evidence(target, a_candidate(target))
SAME = Exactness()
OTHER_VERSION = Exactness(other_version="harness 1, here 2")
OTHER_CPU = Exactness(other_arithmetic="exported on another processor")
CASE = RECORDED.cases[0]


def evidence(**changes: Any) -> Evidence:
    """Return the recorded evidence with some of it exchanged, be it a valid whole or not."""
    return RECORDED.model_copy(update=changes)


def case(**changes: Any) -> CaseRecord:
    return CASE.model_copy(update=changes)


def wrong(message: str, ratio: float | None = None) -> CaseRecord:
    finding = Finding(status=Status.WRONG_VALUE, message=message)
    return case(status=Status.WRONG_VALUE, findings=(finding,), worst_ratio=ratio)


def ended(message: str, status: Status = Status.WRONG_VALUE) -> Evidence:
    finding = Finding(status=status, message=message)
    return evidence(status=status, tier=Tier.T1, findings=(finding,))


def faster(*ranges: tuple[float, float]) -> Evidence:
    first = RECORDED.speedups[0]
    return evidence(
        speedups=tuple(
            Speedup(architecture=first.architecture, case=first.case, low=low, high=high)
            for low, high in ranges
        )
    )


def row(claim: str, recorded: Evidence, here: Evidence, exactness: Exactness) -> Row:
    """Return the one row about `claim`."""
    (found,) = (row for row in compare(recorded, here, exactness) if row.claim == claim)
    return found


def controls(*, rejected: bool) -> Evidence:
    status = Status.WRONG_VALUE if rejected else Status.PASSED
    return evidence(controls=(ControlRecord(name="ones", rejected=rejected, status=status),))


@pytest.mark.parametrize("compiles_here", [True, False])
def test_another_version_is_no_excuse_for_what_compiles_there_or_here_only(
    compiles_here: bool,
) -> None:
    good = RECORDED.compiles[0]
    bad = CompileRecord(
        architecture=good.architecture, status=Status.COMPILE_ERROR, message="expected ';'"
    )
    there, here = (bad, good) if compiles_here else (good, bad)
    found = row(
        f"compiled for {good.architecture}",
        evidence(compiles=(there,)),
        evidence(compiles=(here,)),
        OTHER_VERSION,
    )
    assert found.verdict is Verdict.NOT_REPRODUCED
    assert "compiles there or here" in found.reason


@pytest.mark.parametrize("apart", [((1.0, 2.0), (2.5, 3.0)), ((2.5, 3.0), (1.0, 2.0))])
def test_another_version_is_no_excuse_for_ranges_that_do_not_overlap(
    apart: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    there, here = apart
    found = row(
        f"speed-up on {RECORDED.speedups[0].architecture}",
        faster(there),
        faster(here),
        OTHER_VERSION,
    )
    assert found.verdict is Verdict.NOT_REPRODUCED
    assert "do not overlap" in found.reason


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ([(1.0, 2.0)], [(2.0, 3.0)]),
        ([(2.0, 3.0)], [(1.0, 2.0)]),
        ([(1.0, 4.0)], [(2.0, 3.0)]),
        ([(2.0, 3.0)], [(1.0, 4.0)]),
        ([(1.0, 2.0), (1.0, 2.0)], [(1.0, 2.0)]),
        ([(1.0, 2.0)], [(1.0, 2.0), (1.0, 2.0)]),
    ],
)
def test_with_another_version_ranges_that_touch_cannot_be_checked(
    there: list[tuple[float, float]], here: list[tuple[float, float]]
) -> None:
    claim = f"speed-up on {RECORDED.speedups[0].architecture}"
    found = row(claim, faster(*there), faster(*here), OTHER_VERSION)
    assert found.verdict is Verdict.UNCHECKED
    assert OTHER_VERSION.other_version in found.reason
    assert row(claim, faster(*there), faster(*here), SAME).verdict is Verdict.NOT_REPRODUCED


def test_another_version_is_no_excuse_for_a_trivial_kernel_that_passes() -> None:
    claim = "trivial kernels fail"
    found = row(claim, controls(rejected=True), controls(rejected=False), OTHER_VERSION)
    assert found.verdict is Verdict.NOT_REPRODUCED
    assert "'ones' passes here" in found.reason


def test_with_another_version_other_trivial_kernels_cannot_be_checked() -> None:
    claim = "trivial kernels fail"
    assert row(claim, RECORDED, controls(rejected=True), OTHER_VERSION).verdict is Verdict.UNCHECKED
    fewer = evidence(controls=controls(rejected=True).controls * 2)
    assert row(claim, fewer, RECORDED, OTHER_VERSION).verdict is Verdict.UNCHECKED


def test_another_version_is_no_excuse_for_an_execution_that_fails() -> None:
    claim = "public cases"
    failing = evidence(cases=(wrong("y is 3"),))
    passing = evidence(cases=(CASE,))
    found = row(claim, passing, failing, OTHER_VERSION)
    assert found.verdict is Verdict.NOT_REPRODUCED
    assert found.reason == "an execution fails here"
    both = row(claim, evidence(cases=(wrong("y is 2"),)), failing, OTHER_VERSION)
    assert both.verdict is Verdict.UNCHECKED
    assert "nothing found here contradicts it" in both.reason


@pytest.mark.parametrize("change", [{"status": Status.RACE}, {"tier": Tier.T0}])
def test_the_outcome_alone_counts_with_another_version_and_all_of_it(
    change: dict[str, Any],
) -> None:
    there = ended("y is 2")
    found = row("outcome", there, ended("y is 3"), OTHER_VERSION)
    assert found.verdict is Verdict.REPRODUCED
    assert found.reason == f"the outcome alone; {OTHER_VERSION.other_version}"
    other = row("outcome", there, there.model_copy(update=change), OTHER_VERSION)
    assert other.verdict is Verdict.NOT_REPRODUCED
    assert other.reason == "another outcome"


@pytest.mark.parametrize("change", [{"status": Status.RACE}, {"tier": Tier.T0}])
def test_rounding_may_change_the_words_of_an_outcome_and_nothing_else(
    change: dict[str, Any],
) -> None:
    there = ended("y is 2")
    found = row("outcome", there, ended("y is 2.0001"), OTHER_CPU)
    assert found.verdict is Verdict.REPRODUCED
    assert found.reason == f"within rounding; {OTHER_CPU.other_arithmetic}"
    assert row("outcome", there, ended("y is 2.0001"), SAME).verdict is Verdict.NOT_REPRODUCED
    other = row("outcome", there, there.model_copy(update=change), OTHER_CPU)
    assert other.verdict is Verdict.NOT_REPRODUCED


def executions(there: CaseRecord, *here: CaseRecord) -> Verdict:
    """Return the verdict on another processor."""
    return row("public cases", evidence(cases=(there,)), evidence(cases=here), OTHER_CPU).verdict


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (case(worst_ratio=0.0), case(worst_ratio=1e-6)),
        (case(worst_ratio=0.5), case(worst_ratio=0.5004)),
        (case(worst_ratio=0.5), case(worst_ratio=0.4996)),
        (case(max_absolute_error=1e-8), case(max_absolute_error=2e-8)),
        (wrong("y is 2"), wrong("y is 2.0001")),
        (wrong("y is 2", 7.0), wrong("y is 2.0001", 7.001)),
    ],
)
def test_rounding_explains_what_it_may_move(there: CaseRecord, here: CaseRecord) -> None:
    assert executions(there, here) is Verdict.REPRODUCED


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (case(worst_ratio=0.0), case(worst_ratio=1.1e-6)),
        (case(worst_ratio=0.5), case(worst_ratio=0.501)),
        (case(worst_ratio=0.5), case(worst_ratio=0.499)),
        (wrong("y is 2"), wrong("y is 2", 7.0)),
        (wrong("y is 2", 7.0), wrong("y is 2")),
        (CASE, case(wave=64)),
        (CASE, wrong("y is 2")),
        (case(elements=10), case(elements=9)),
    ],
)
def test_rounding_explains_nothing_beyond(there: CaseRecord, here: CaseRecord) -> None:
    assert executions(there, here) is Verdict.NOT_REPRODUCED


def test_rounding_adds_and_removes_no_execution_and_no_trivial_kernel() -> None:
    assert executions(CASE, CASE, CASE) is Verdict.NOT_REPRODUCED
    both = evidence(cases=(CASE, CASE))
    assert row("public cases", both, RECORDED, OTHER_CPU).verdict is Verdict.NOT_REPRODUCED
    other = row("trivial kernels fail", RECORDED, controls(rejected=True), OTHER_CPU)
    assert other.verdict is Verdict.NOT_REPRODUCED


def test_what_took_too_long_there_is_no_excuse_for_taking_too_long_here() -> None:
    there, here = (ended(words, Status.TIMEOUT) for words in ("late in line 3", "late in line 4"))
    assert row("outcome", there, here, SAME).verdict is Verdict.NOT_REPRODUCED
    assert row("outcome", RECORDED, here, SAME).verdict is Verdict.UNCHECKED


@pytest.mark.parametrize("exactness", [OTHER_VERSION, SAME])
def test_what_only_one_side_has_is_excused_by_another_version_alone(exactness: Exactness) -> None:
    claim = "trivial kernels fail"
    without = evidence(controls=())
    other = exactness.other_version
    unclaimed = row(claim, without, RECORDED, exactness)
    missing = row(claim, RECORDED, without, exactness)
    assert (unclaimed.recorded, missing.found) == ("nothing", "nothing")
    assert unclaimed.reason == (other or "the evidence leaves it out")
    assert missing.reason == (other or "not found here")
    for found in (unclaimed, missing):
        assert found.verdict is (Verdict.UNCHECKED if other else Verdict.NOT_REPRODUCED)


def test_rows_are_about_the_kernel_unless_told() -> None:
    without = evidence(controls=())
    for rows in (compare(without, RECORDED, SAME), not_asked(RECORDED, "nobody looked")):
        assert not any(row.about_baseline for row in rows)
    told = compare(without, RECORDED, SAME, about_baseline=True)
    assert all(row.about_baseline for row in told)
    asked = not_asked(RECORDED, "nobody looked", about_baseline=True)
    assert all(row.about_baseline for row in asked)
