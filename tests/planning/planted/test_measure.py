"""Reviewers measured on planted kernels: the counts, the interval, and the rules' own figures."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rocm_pipeline.planning.claude.packet import Submission
from rocm_pipeline.planning.claude.reviewer import rules_review
from rocm_pipeline.planning.planted.library import planted_kernels
from rocm_pipeline.planning.planted.measure import (
    Measurement,
    latest,
    measure,
    measure_rules,
    save,
    table,
    wilson,
)
from rocm_pipeline.planning.review import Heading, Review, ReviewFinding, Verdict
from rocm_pipeline.records.records import Records
from tests.conftest import RecordFigure

KERNELS = planted_kernels()
BAD = [kernel for kernel in KERNELS if kernel.is_bad]
HELD_BACK = (
    "slower_on_one_architecture",
    "public_cases_only",
    "evidence_of_another",
    "one_architecture_left_out",
)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))
    yield records
    records.close()


def all_with(verdict: Verdict, *, everything: bool) -> Measurement:
    """Measure a reviewer that says the same of every kernel that rules let pass."""

    def review_all(given: Sequence[Submission]) -> list[Review]:
        return [one(each) for each in given]

    def one(given: Submission) -> Review:
        rules = rules_review(given)
        if rules.verdict is not Verdict.APPROVE:
            return rules
        if not everything:
            return rules.model_copy(update={"unasked": "nobody there"})
        blocker = ReviewFinding(
            heading=Heading.SECURITY, severity="blocker", message="bad", cites="kernel.hip:7"
        )
        findings = () if verdict is Verdict.APPROVE else (blocker,)
        return rules.model_copy(
            update={"reviewer": "rules and m", "verdict": verdict, "findings": findings}
        )

    return measure("m", "final", review_all, now=1.0)


def test_there_are_enough_of_both_kinds_and_each_name_is_its_own() -> None:
    assert len(BAD) >= 8
    assert len(KERNELS) - len(BAD) >= 8
    assert len({kernel.name for kernel in KERNELS}) == len(KERNELS)
    assert len({kernel.candidate.id for kernel in KERNELS if not kernel.evidence}) >= 20


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_a_planted_fault_has_its_line_and_the_record_says_passed(kernel: object) -> None:
    planted = next(each for each in KERNELS if each is kernel)
    assert planted.found.status.value == "PASSED"
    assert (planted.line is not None) == bool(planted.at)


def test_the_rules_are_measured_on_all(record_figure: RecordFigure) -> None:
    final, cross = measure_rules("final", now=1.0), measure_rules("cross", now=1.0)
    assert final.caught == (len(HELD_BACK), len(BAD))
    assert cross.caught == (2, len(BAD))
    assert final.false_alarms == cross.false_alarms == (0, len(KERNELS) - len(BAD))
    caught = [t.kernel for t in final.trials if t.is_bad and t.verdict is not Verdict.APPROVE]
    assert caught == list(HELD_BACK)
    record_figure("planted_caught_by_rules", final.caught[0])
    record_figure("planted_bad", final.caught[1])
    record_figure("planted_false_alarms_of_rules", final.false_alarms[0])


def test_a_model_is_measured_on_what_rules_let_pass() -> None:
    strict = all_with(Verdict.REJECT, everything=True)
    asked = len(BAD) - len(HELD_BACK)
    assert strict.caught == (asked, asked)
    assert strict.false_alarms == (8, 8)
    assert 0 < strict.located < asked
    lenient = all_with(Verdict.APPROVE, everything=True)
    assert lenient.caught == (0, asked)
    assert lenient.false_alarms == (0, 8)
    assert lenient.located == 0


def test_a_kernel_without_an_answer_counts_neither_way() -> None:
    silent = all_with(Verdict.APPROVE, everything=False)
    assert silent.caught == silent.false_alarms == (0, 0)
    assert silent.unanswered == len(KERNELS) - len(HELD_BACK)


@pytest.mark.parametrize(
    ("found", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (4, 18, 0.0900, 0.4521), (0, 0, 0.0, 1.0)],
)
def test_the_interval_is_wilsons(found: int, of: int, low: float, high: float) -> None:
    got = wilson(found, of)
    assert math.isclose(got[0], low, abs_tol=5e-4)
    assert math.isclose(got[1], high, abs_tol=5e-4)


def test_the_newest_measurement_of_each_reviewer_is_found_again(records: Records) -> None:
    assert latest(records) == []
    old = measure_rules("final", now=1.0)
    new = old.model_copy(update={"measured_at": 2.0})
    model = all_with(Verdict.REJECT, everything=True)
    for each in (new, old, model, new):
        save(records, each)
    assert latest(records) == [model, new]


def test_a_report_shows_counts_and_intervals() -> None:
    header, rows = table([measure_rules("final", now=1.0)])
    assert len(header) == len(rows[0])
    assert rows[0][:3] == ("rules", "final", "4 of 18 (9% to 45%)")
    assert rows[0][4] == "0 of 8 (0% to 32%)"
