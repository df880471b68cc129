"""Generated evidence against every consumer: counts add up, and what is absent never passes."""

import dataclasses
import math
import re
from typing import Any, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rocm_pipeline.agents.brief import EvidenceSummary
from rocm_pipeline.agents.outcome import ChosenKernel
from rocm_pipeline.agents.wording import describe_evidence
from rocm_pipeline.assets import gates
from rocm_pipeline.lab.evidence import CaseRecord, Evidence, Status, Tier
from rocm_pipeline.lab.ranking import mean_speedup, score
from rocm_pipeline.planning.review import Verdict
from rocm_pipeline.planning.rule_reviewer import OperatorFacts, cross_review, final_review
from rocm_pipeline.reporting import tables
from rocm_pipeline.reporting.page import summarise
from rocm_pipeline.reporting.pull_request_body import render_body
from tests.conftest import RecordFigure
from tests.fakes.values import (
    a_candidate,
    a_passing_evidence,
    a_reproduction,
    a_target,
    an_operator_evidence,
)
from tests.reporting.inputs import report_inputs
from tests.scale import scaled

TARGET = a_target()
CANDIDATE = a_candidate(TARGET)
WHOLE = a_passing_evidence(TARGET, CANDIDATE)
INPUTS = report_inputs()
STATUSES = st.sampled_from(list(Status))
FIGURES = st.sampled_from([None, 0.0, 0.5, 1.0, 2.0, -1.0, math.nan, math.inf])
ENDS = st.sampled_from([0.0, -1.0, 0.5, 1.0, 2.0, math.nan, math.inf])


def some(
    part: tuple[Any, ...], changes: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Any]:
    """Return tuples of records, each whole or with fields drawn anew; absent ones too."""
    drawn = st.fixed_dictionaries({}, optional=changes)
    record = st.tuples(st.sampled_from(part), drawn).map(lambda p: p[0].model_copy(update=p[1]))
    return st.one_of(st.just(part), st.just(()), st.lists(record, max_size=4).map(tuple))


EVIDENCE = st.fixed_dictionaries(
    {
        "status": st.just(Status.PASSED) | STATUSES,
        "tier": st.just(Tier.T2) | st.sampled_from([None, *Tier]),
        "cases": some(
            WHOLE.cases,
            {
                "status": STATUSES,
                "worst_ratio": FIGURES,
                "origin": st.sampled_from(get_args(CaseRecord.model_fields["origin"].annotation)),
            },
        ),
        "controls": some(WHOLE.controls, {"rejected": st.booleans(), "status": STATUSES}),
        "compiles": some(WHOLE.compiles, {"status": STATUSES}),
        "speedups": some(WHOLE.speedups, {"low": ENDS, "high": ENDS}),
    }
).map(lambda changes: WHOLE.model_copy(update=changes))


def test_whatever_the_evidence_lacks_no_consumer_reads_a_pass(record_figure: RecordFigure) -> None:
    tried: list[int] = []

    @settings(
        max_examples=scaled(short=300, long=5000),
        deadline=None,
        database=None,
        suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType]
    )
    @given(EVIDENCE)
    def hold(evidence: Evidence) -> None:
        tried.append(1)
        _ranking_needs_every_figure(evidence)
        _table_adds_up(evidence)
        _gates_need_what_they_speak_of(evidence)
        _reviewer_needs_a_held_out_pass(evidence)
        _final_review_needs_a_pass_of_both(evidence)
        _page_and_body_say_what_the_record_holds(evidence)
        _agents_are_told_counts_that_add_up(evidence)

    hold()
    record_figure("absent evidence", f"{len(tried)} generated records, 0 read as a pass")


def _ranking_needs_every_figure(evidence: Evidence) -> None:
    keys = sorted((s.architecture, s.case.name) for s in evidence.speedups)
    whole = keys == sorted((e.architecture, e.case.name) for e in evidence.estimates)
    usable = all(0 < s.low <= s.high < math.inf for s in evidence.speedups)
    may_score = evidence.status is Status.PASSED and whole and usable
    value, mean = score(evidence), mean_speedup(evidence)
    assert (value is not None) == (mean is not None) == may_score
    assert bool(tables.mean_speedup_words(evidence)) == may_score
    if value is not None and mean is not None:
        logs = [math.log(s.low * s.high) / 2 for s in evidence.speedups]
        assert math.isclose(value, math.exp(sum(logs) / len(logs)))


def _table_adds_up(evidence: Evidence) -> None:
    """Each row counts all records of its kind, and the rows together count all that there are."""
    text = tables.correctness_table(evidence)
    cases = re.findall(r"\| [a-z ]+ cases \| (\d+) of (\d+) passed", text)
    passed = sum(case.status is Status.PASSED for case in evidence.cases)
    assert sum(int(number) for number, _ in cases) == passed
    assert sum(int(number) for _, number in cases) == len(evidence.cases)
    for row in text.splitlines():
        if " 0 of " in row and "cases" in row:
            assert row.endswith("| none |"), row
    controls = re.findall(r"trivial kernels \| (\d+) of (\d+) rejected", text)
    rejected = sum(control.rejected for control in evidence.controls)
    assert controls == ([(str(rejected), str(len(evidence.controls)))] if evidence.controls else [])


def _gates_need_what_they_speak_of(evidence: Evidence) -> None:
    kernel = ChosenKernel.model_construct(
        target=TARGET.name, candidate=CANDIDATE, evidence=evidence, is_baseline=False, reason=""
    )
    compiled = {c.architecture for c in evidence.compiles if c.status is Status.PASSED}
    covers = compiled >= set(TARGET.architectures)
    assert gates.kernel_compiles_for_every_architecture(kernel, TARGET).passed == covers
    good = bool(evidence.controls) and all(control.rejected for control in evidence.controls)
    assert gates.controls_are_rejected(kernel).passed == good
    if all(case.status is Status.PASSED for case in evidence.cases):
        right = bool(evidence.cases) and evidence.status is Status.PASSED
        assert gates.kernel_matches_reference(kernel).passed == right


def _reviewer_needs_a_held_out_pass(evidence: Evidence) -> None:
    review = cross_review(TARGET, CANDIDATE, evidence)
    if review.verdict is Verdict.APPROVE:
        assert evidence.status is Status.PASSED
        assert any(case.origin == "held out" for case in evidence.cases)


def _final_review_needs_a_pass_of_both(evidence: Evidence) -> None:
    cross = cross_review(TARGET, CANDIDATE, evidence)
    for status in (Status.PASSED, Status.NOT_RUN, Status.WRONG_VALUE):
        for could_not_run in (False, True):
            operator = OperatorFacts(status, "op-1", "message", could_not_run)
            review = final_review(TARGET, CANDIDATE, evidence, operator, cross)
            if review.verdict is Verdict.APPROVE:
                assert evidence.status is Status.PASSED
                assert status is Status.PASSED or could_not_run
                assert evidence.cases
                assert evidence.controls
                assert cross.verdict is Verdict.APPROVE


def _page_and_body_say_what_the_record_holds(evidence: Evidence) -> None:
    kernel = INPUTS.kernel.model_copy(update={"candidate": CANDIDATE, "evidence": evidence})
    row = summarise(dataclasses.replace(INPUTS, kernel=kernel))
    mean = mean_speedup(evidence)
    assert (row.correctness, row.cases) == (evidence.status, len(evidence.cases))
    assert (row.speedup_low, row.speedup_high) == (mean or (None, None))
    compiled = [c.architecture for c in evidence.compiles if c.status is Status.PASSED]
    assert list(row.architectures) == compiled
    operator = an_operator_evidence(TARGET, CANDIDATE)
    reproduction = a_reproduction(TARGET, CANDIDATE, evidence)
    body = render_body(TARGET, kernel, operator, (), reproduction, None)
    assert tables.correctness_table(evidence) in body
    assert tables.speedup_table(evidence) in body


def _agents_are_told_counts_that_add_up(evidence: Evidence) -> None:
    told = EvidenceSummary.of(evidence)
    assert told.cases_run + told.cases_not_run == len(evidence.cases)
    wrong = sum(c.status not in (Status.PASSED, Status.NOT_RUN) for c in evidence.cases)
    assert told.cases_passed + wrong == told.cases_run
    lines = describe_evidence(told, resources=False).splitlines()
    (words,) = [line for line in lines if " runs on the emulator" in line] or [""]
    numbers = [int(number) for number in re.findall(r"\d+", words)]
    assert numbers[:2] == ([told.cases_passed, told.cases_run] if evidence.cases else [])
    assert sum(numbers[2:]) == told.cases_not_run
