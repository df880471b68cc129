"""Verdicts on claims: absent and unchecked never read as reproduced."""

from typing import Any

import pytest
from pydantic import ValidationError

from rocm_pipeline.bundle.claims import Kind, Reproduction, Row, Verdict
from rocm_pipeline.bundle.compare import Exactness, compare, not_asked
from rocm_pipeline.lab.evidence import Evidence, Finding, Status, Tier
from tests.fakes.values import a_candidate, a_passing_evidence, a_reproduction, a_target

target = a_target()
candidate = a_candidate(target)
RECORDED = a_passing_evidence(target, candidate)
SAME = Exactness()
OTHER_VERSION = Exactness(other_version="toolchain clang 1, here clang 2")
OTHER_CPU = Exactness(other_arithmetic="exported on another processor")


def found(**changes: Any) -> Evidence:
    return Evidence.model_validate({**RECORDED.model_dump(), **changes})


def with_case(**changes: Any) -> Evidence:
    first, *others = RECORDED.cases
    return found(cases=(first.model_copy(update=changes), *others))


def recompiled() -> Evidence:
    first, *rest = RECORDED.compiles
    return found(compiles=(first.model_copy(update={"object_sha256": "1" * 64}), *rest))


def failing() -> Evidence:
    finding = Finding(status=Status.WRONG_VALUE, message="y is wrong")
    case = RECORDED.cases[0].model_copy(
        update={
            "status": Status.WRONG_VALUE,
            "findings": (finding,),
            "worst_ratio": None,
            "max_absolute_error": None,
        }
    )
    return found(
        status=Status.WRONG_VALUE,
        tier=Tier.T1,
        findings=(finding,),
        cases=(case,),
        estimates=(),
        speedups=(),
    )


def verdicts(here: Evidence, exactness: Exactness) -> dict[str, Verdict]:
    return {row.claim: row.verdict for row in compare(RECORDED, here, exactness)}


def test_equal_records_are_reproduced_whatever_the_versions() -> None:
    for exactness in (SAME, OTHER_VERSION, OTHER_CPU):
        assert set(verdicts(RECORDED, exactness).values()) == {Verdict.REPRODUCED}


def test_another_object_of_the_same_toolchain_is_not_a_reproduction() -> None:
    assert verdicts(recompiled(), SAME)["compiled for gfx90a"] is Verdict.NOT_REPRODUCED
    assert verdicts(recompiled(), OTHER_CPU)["compiled for gfx90a"] is Verdict.NOT_REPRODUCED


def test_with_another_toolchain_an_object_cannot_be_checked_and_the_outcome_can() -> None:
    said = verdicts(recompiled(), OTHER_VERSION)
    assert said["compiled for gfx90a"] is Verdict.UNCHECKED
    assert said["outcome"] is Verdict.REPRODUCED


def test_another_toolchain_is_no_excuse_for_another_outcome() -> None:
    said = verdicts(failing(), OTHER_VERSION)
    assert said["outcome"] is Verdict.NOT_REPRODUCED
    assert said["public cases"] is Verdict.NOT_REPRODUCED
    assert said["time on gfx942"] is Verdict.UNCHECKED


def test_an_error_may_move_in_its_last_bits_on_another_processor_only() -> None:
    moved = with_case(worst_ratio=0.1 * (1 + 1e-9))
    assert verdicts(moved, SAME)["public cases"] is Verdict.NOT_REPRODUCED
    assert verdicts(moved, OTHER_CPU)["public cases"] is Verdict.REPRODUCED
    far = with_case(worst_ratio=0.2)
    assert verdicts(far, OTHER_CPU)["public cases"] is Verdict.NOT_REPRODUCED


def test_a_seed_that_was_edited_is_another_execution() -> None:
    other = with_case(seed=2)
    for exactness in (SAME, OTHER_CPU):
        assert verdicts(other, exactness)["public cases"] is Verdict.NOT_REPRODUCED


def test_a_run_that_took_too_long_here_says_nothing_about_the_kernel() -> None:
    late = Finding(status=Status.TIMEOUT, message="late")
    here = failing().model_copy(update={"status": Status.TIMEOUT, "findings": (late,)})
    assert verdicts(here, SAME)["outcome"] is Verdict.UNCHECKED


def test_evidence_that_leaves_out_what_the_harness_finds_is_not_reproduced() -> None:
    shortened = RECORDED.model_copy(update={"controls": ()})
    (row,) = (r for r in compare(shortened, RECORDED, SAME) if r.kind is Kind.CONTROLS)
    assert row.verdict is Verdict.NOT_REPRODUCED
    assert "leaves it out" in row.reason


@pytest.mark.parametrize("verdict", [Verdict.REPRODUCED, Verdict.NOT_REPRODUCED])
def test_a_verdict_needs_what_was_found(verdict: Verdict) -> None:
    with pytest.raises(ValidationError, match="what was found"):
        Row(kind=Kind.OUTCOME, claim="outcome", recorded="PASSED", verdict=verdict)


def test_what_cannot_be_checked_needs_a_reason() -> None:
    with pytest.raises(ValidationError, match="needs a reason"):
        Row(kind=Kind.OUTCOME, claim="outcome", recorded="PASSED", verdict=Verdict.UNCHECKED)


def reproduction(**changes: Any) -> Reproduction:
    return a_reproduction(target, candidate, RECORDED).model_copy(update=changes)


def test_t5_needs_every_claim_that_t2_stands_on() -> None:
    whole = reproduction()
    assert whole.is_t5
    for row in whole.rows:
        rest = tuple(other for other in whole.rows if other != row)
        assert not reproduction(rows=rest).is_t5, row.kind
        unchecked = row.model_copy(update={"verdict": Verdict.UNCHECKED, "reason": "no"})
        assert not reproduction(rows=(*rest, unchecked)).is_t5, row.kind
        broken = row.model_copy(update={"verdict": Verdict.NOT_REPRODUCED})
        assert not reproduction(rows=(*whole.rows, broken)).is_t5, row.kind


def test_only_a_pass_reaches_t5() -> None:
    assert not reproduction(status=Status.WRONG_VALUE).is_t5


def test_a_claim_that_only_the_baseline_kept_does_not_count_for_the_kernel() -> None:
    about = tuple(r.model_copy(update={"about_baseline": True}) for r in reproduction().rows)
    assert not reproduction(rows=about).is_t5
    assert not reproduction(rows=about).holds


def test_nothing_checked_is_nothing_reproduced() -> None:
    rows = tuple(not_asked(RECORDED, "nobody looked"))
    assert {row.verdict for row in rows} == {Verdict.UNCHECKED}
    assert not reproduction(rows=rows).holds
