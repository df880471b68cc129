"""The rule-based reviewer's gate: each remark, and a near kernel that does not earn it."""

import dataclasses
from typing import Any

import pytest

from rocm_pipeline.lab.evidence import Finding, Speedup, Status, Tier
from rocm_pipeline.planning.review import Heading, Review, ReviewFinding, Verdict
from rocm_pipeline.planning.rule_reviewer import OperatorFacts, cross_review, final_review
from tests.planning.test_rule_reviewer import OPERATOR, TARGET, candidate, evidence, resources

CASE = TARGET.timing_cases[0]


def unchecked(**changes: Any) -> Any:
    """Return evidence with its own rules left aside: the reviewer must not rest on them."""
    return evidence().model_copy(update=changes)


def final(found: Any, operator: OperatorFacts = OPERATOR, cross: Any = None) -> Review:
    cross = cross or review(subject=candidate().id, kind="cross", evidence_ids=(found.id,))
    return final_review(TARGET, candidate(), found, operator, cross)


def review(**changes: Any) -> Review:
    fields: dict[str, Any] = {
        "subject": "k",
        "reviewer": "rules",
        "kind": "final",
        "verdict": Verdict.APPROVE,
        "findings": (),
        "evidence_ids": ("ev-1",),
    }
    return Review(**{**fields, **changes})


def remark(severity: Any) -> ReviewFinding:
    return ReviewFinding(heading=Heading.UPSTREAM, severity=severity, message="m", cites="c")


def said(found: Review) -> set[tuple[str, str, str]]:
    return {(f.severity, f.heading.name, f.message) for f in found.findings}


def only(found: Review, severity: str, heading: str, message: str) -> None:
    assert said(found) == {(severity, heading, message)}, found
    assert all(f.cites for f in found.findings)


def test_an_honest_kernel_gets_no_remark_but_that_no_speed_up_is_known() -> None:
    assert said(cross_review(TARGET, candidate(), evidence())) == set()
    found = final(evidence())
    only(found, "note", "UPSTREAM", "no estimate of the speed-up")
    assert (found.verdict, found.kind, found.reviewer) == (Verdict.APPROVE, "final", "rules")
    assert found.subject == candidate().id
    cross = review(subject=candidate().id, kind="cross", evidence_ids=(evidence().id,))
    assert found.evidence_ids == (evidence().id, "op-1", cross.id)
    cross = cross_review(TARGET, candidate(), evidence())
    assert (cross.kind, cross.evidence_ids) == ("cross", (evidence().id,))


def test_the_baseline_needs_no_speed_up() -> None:
    source = TARGET.baseline.source
    found = evidence(source)
    cross = cross_review(TARGET, candidate(source), found)
    assert final_review(TARGET, candidate(source), found, OPERATOR, cross).findings == ()


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.PASSED])
def test_nothing_but_a_pass_is_approved(status: Status) -> None:
    found = unchecked(status=status)
    nothing = found.model_copy(update={"cases": ()})
    for absent in (found, nothing):
        cross = cross_review(TARGET, candidate(), absent)
        only(cross, "blocker", "ARCHITECTURE", f"the harness says {status.value}")
    assert ("blocker", "ARCHITECTURE", f"the harness says {status.value}") in said(final(found))
    assert final(found).verdict is Verdict.REJECT


@pytest.mark.parametrize("status", list(Status))
def test_an_operator_that_did_not_pass_blocks(status: Status) -> None:
    found = final(unchecked(speedups=(speedup(2, 3),)), OperatorFacts(status, "op-1", "why"))
    if status is Status.PASSED:
        assert found.findings == ()
    else:
        only(found, "blocker", "INTEGRATION", f"operator {status.value}: why")


def test_an_operator_that_could_not_be_run_here_is_a_note() -> None:
    facts = OperatorFacts(Status.NOT_RUN, "op-1", "why", could_not_run=True)
    found = final(unchecked(speedups=(speedup(2, 3),)), facts)
    only(found, "note", "INTEGRATION", "operator NOT_RUN: why")


def test_evidence_about_another_kernel_or_plan_is_refused() -> None:
    for part in ("source_sha256", "plan_sha256"):
        identity = evidence().identity.model_copy(update={part: "another"})
        found = unchecked(identity=identity, speedups=(speedup(2, 3),))
        for verdict in (cross_review(TARGET, candidate(), found), final(found)):
            only(verdict, "blocker", "SECURITY", "the evidence is about another kernel")


def test_each_gap_of_the_coverage_has_its_remark() -> None:
    cases = evidence().cases
    held_out = tuple(c for c in cases if c.origin == "held out")
    only(
        cross_review(
            TARGET,
            candidate(),
            unchecked(cases=tuple(c.model_copy(update={"origin": "public"}) for c in cases)),
        ),
        "blocker",
        "ARCHITECTURE",
        "no held-out case was run",
    )
    for wave in (32, 64):
        some = tuple(c.model_copy(update={"wave": 96 - wave}) for c in held_out)
        only(
            cross_review(TARGET, candidate(), unchecked(cases=some)),
            "blocker",
            "ARCHITECTURE",
            f"nothing was run with waves of {wave}",
        )
    variants = list(TARGET.kernel_variants())
    for variant in variants:
        some = tuple(c for c in cases if c.case.dtypes != variant.dtypes)
        only(
            cross_review(TARGET, candidate(), unchecked(cases=some)),
            "major",
            "ARCHITECTURE",
            f"no case covers {variant.name}",
        )


def test_listed_choices_must_be_covered_too() -> None:
    symbols = {
        **TARGET.symbols,
        "cols": TARGET.symbols["cols"].model_copy(update={"max": None, "choices": (7, 1000)}),
    }
    choosy = TARGET.model_copy(update={"symbols": symbols})
    found = cross_review(choosy, candidate(), evidence())
    assert {f.message for f in found.findings} == {
        f"no case covers {v.name}" for v in choosy.kernel_variants() if v.symbols["cols"] == 7
    }


def test_a_case_may_hold_nothing_but_listed_choices() -> None:
    choices = {"rows": (256,), "cols": (33, 1000)}
    kept = {
        name: symbol.model_copy(update={"max": None, "choices": choices[name]})
        for name, symbol in TARGET.symbols.items()
    }
    choosy = TARGET.model_copy(update={"symbols": kept})
    cases = tuple(
        c.model_copy(
            update={"case": c.case.model_copy(update={"symbols": {"rows": 256, "cols": cols}})}
        )
        for c in evidence().cases
        for cols in (33, 1000)
    )
    assert cross_review(choosy, candidate(), unchecked(cases=cases)).findings == ()


def test_what_is_known_of_an_operator_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        OperatorFacts(Status.NOT_RUN, "op-1", "").status = Status.PASSED  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("tier", [None, Tier.T0, Tier.T1])
def test_a_kernel_that_did_not_run_is_rejected(tier: Tier | None) -> None:
    found = unchecked(tier=tier, speedups=(speedup(2, 3),))
    only(final(found), "blocker", "ARCHITECTURE", "the kernel did not reach tier T2")
    assert final(unchecked(tier=Tier.T3)).verdict is Verdict.APPROVE


def test_each_missing_architecture_is_named() -> None:
    found = unchecked(compiles=evidence().compiles[1:], speedups=(speedup(2, 3),))
    only(final(found), "blocker", "ARCHITECTURE", "not compiled for gfx90a")


@pytest.mark.parametrize(
    ("changes", "severity", "message"),
    [
        ({"vgpr_spills": 1}, "minor", "gfx90a: k use scratch memory"),
        ({"scratch_bytes": 1}, "minor", "gfx90a: k use scratch memory"),
        ({"occupancy": 0.2499}, "note", "gfx90a: few resident waves in k"),
        ({"occupancy": 0.25}, "", ""),
        ({"sgpr_spills": 1}, "", ""),
    ],
)
def test_scratch_and_thin_occupancy_are_remarked(
    changes: dict[str, Any], severity: str, message: str
) -> None:
    first, *rest = evidence().compiles
    thin = first.model_copy(update={"kernels": (resources(**changes),)})
    found = final(unchecked(compiles=(thin, *rest), speedups=(speedup(2, 3),)))
    assert said(found) == ({(severity, "ARCHITECTURE", message)} if severity else set())


@pytest.mark.parametrize("status", list(Status))
def test_a_breach_or_a_cheat_among_the_findings_is_about_security(status: Status) -> None:
    if status in (Status.PASSED, Status.NOT_RUN):
        return
    found = unchecked(findings=(Finding(status=status, message="m"),), speedups=(speedup(2, 3),))
    grave = status in (Status.POLICY_VIOLATION, Status.CHEAT)
    assert said(final(found)) == ({("blocker", "SECURITY", "m")} if grave else set())


def test_controls_must_have_run_and_all_been_rejected() -> None:
    good = evidence().controls[0]
    bad = good.model_copy(update={"rejected": False})
    for controls in ((), (bad,), (good, bad)):
        found = unchecked(controls=controls, speedups=(speedup(2, 3),))
        only(final(found), "blocker", "SECURITY", "trivial kernels were not all rejected")


def test_the_cross_review_must_be_one_of_this_kernel_and_this_evidence() -> None:
    found = unchecked(speedups=(speedup(2, 3),))
    own = {"subject": candidate().id, "kind": "cross", "evidence_ids": (found.id,)}
    assert final(found, cross=review(**own)).findings == ()
    wrong = {
        "the cross review is about another kernel": {"subject": "another"},
        "the cross review is about other evidence": {"evidence_ids": ("ev-other",)},
    }
    for message, change in wrong.items():
        only(final(found, cross=review(**{**own, **change})), "blocker", "UPSTREAM", message)
    only(
        final(found, cross=review(**{**own, "kind": "final"})),
        "blocker",
        "UPSTREAM",
        "the cross review is about other evidence",
    )


def test_what_the_cross_review_says_weighs_in_the_final_one() -> None:
    found = unchecked(speedups=(speedup(2, 3),))
    own = {"subject": candidate().id, "kind": "cross", "evidence_ids": (found.id,)}
    changes = final(found, cross=review(**own, verdict=Verdict.CHANGES))
    only(changes, "major", "UPSTREAM", "the cross review says changes")
    assert changes.verdict is Verdict.CHANGES
    reject = final(
        found, cross=review(**own, verdict=Verdict.REJECT, findings=(remark("blocker"),))
    )
    only(reject, "blocker", "UPSTREAM", "the cross review says reject")
    assert reject.verdict is Verdict.REJECT


@pytest.mark.parametrize(
    ("low", "high", "severity", "message"),
    [
        (0.5, 0.999, "major", "estimated slower than the baseline on gfx90a"),
        (0.5, 1.0, "minor", "the estimate does not exclude a slowdown on gfx90a"),
        (0.999, 2.0, "minor", "the estimate does not exclude a slowdown on gfx90a"),
        (1.0, 1.0, "", ""),
        (1.0, 2.0, "", ""),
    ],
)
def test_a_slowdown_is_remarked_as_far_as_it_is_certain(
    low: float, high: float, severity: str, message: str
) -> None:
    found = final(unchecked(speedups=(speedup(low, high),)))
    assert said(found) == ({(severity, "UPSTREAM", message)} if severity else set())


@pytest.mark.parametrize(
    ("line", "remarks"),
    [
        ("int i = threadIdx.x & 31;", 1),
        ("threadIdx.x%64", 1),
        ("threadIdx.x & 63", 1),
        ("threadIdx.x % 32", 1),
        ("threadIdx.x % 33", 0),
        ("threadIdx.x >> 5", 1),
        ("threadIdx.x >> 6", 1),
        ("threadIdx.x >> 7", 0),
        ("threadIdx.x / 32", 1),
        ("threadIdx.x / 64", 1),
        ("threadIdx.x / 65", 0),
        ("mask = 0xffffffff;", 1),
        ("mask = 0xFFFFFFFF;", 1),
        ("mask = 0xffffffffffffffff;", 0),
        ("0xfffffff", 0),
        ("threadIdx.y & 31", 0),
        ("// threadIdx.x & 31", 0),
        ("threadIdx.x * 32", 0),
        ("f(); // 0xffffffff", 0),
    ],
)
def test_a_literal_wave_size_is_a_minor_remark_on_its_line(line: str, remarks: int) -> None:
    source = f"\n{line}\n"
    found = cross_review(TARGET, candidate(source), evidence(source))
    assert [(f.severity, f.heading, f.cites) for f in found.findings] == [
        ("minor", Heading.UPSTREAM, "kernel.hip:2")
    ] * remarks
    assert found.verdict is Verdict.APPROVE


def speedup(low: float, high: float) -> Any:
    return Speedup(architecture="gfx90a", case=CASE, low=low, high=high)
