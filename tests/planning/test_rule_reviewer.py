"""The rule-based reviewer, on planted bad kernels and on honest ones."""

from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import (
    CaseRecord,
    CompileRecord,
    ControlRecord,
    Estimate,
    Evidence,
    Finding,
    Identity,
    KernelResources,
    Scope,
    Speedup,
    Status,
    Tier,
)
from rocm_pipeline.planning.review import Review, Verdict
from rocm_pipeline.planning.rule_reviewer import OperatorFacts, cross_review, final_review
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Case

TARGET = library.load("row_softmax", Path("/nonexistent"))
OPERATOR = OperatorFacts(Status.PASSED, "op-1", "")


def candidate(source: str = "// a kernel") -> Candidate:
    return Candidate(target="row_softmax", source=source, launch_plan=TARGET.baseline.launch_plan)


def resources(**changes: Any) -> KernelResources:
    fields: dict[str, Any] = {
        "name": "k",
        "vgprs": 8,
        "agprs": 0,
        "sgprs": 8,
        "lds_bytes": 0,
        "scratch_bytes": 0,
        "vgpr_spills": 0,
        "sgpr_spills": 0,
        "wave": 64,
        "max_workgroup": 256,
        "kernarg_bytes": 16,
        "block_threads": 64,
        "waves_per_simd": 8.0,
        "occupancy": 1.0,
        "limited_by": "nothing",
        "instructions": {"valu": 3},
    }
    return KernelResources(**{**fields, **changes})


def right(case: Case, origin: str, wave: int) -> CaseRecord:
    return CaseRecord.model_validate(
        {
            "case": case,
            "origin": origin,
            "seed": 1,
            "wave": wave,
            "lane_order": "forward",
            "status": Status.PASSED,
            "max_absolute_error": 0.0,
            "worst_ratio": 0.1,
        }
    )


def evidence(source: str = "// a kernel", **changes: Any) -> Evidence:
    variants = list(TARGET.kernel_variants())
    judged = candidate(source)
    fields: dict[str, Any] = {
        "identity": Identity(
            target="row_softmax",
            target_sha256="a",
            source_sha256=judged.source_sha256,
            plan_sha256=judged.plan_sha256,
            harness="d",
            toolchain="e",
        ),
        "tier": Tier.T2,
        "status": Status.PASSED,
        "compiles": tuple(
            CompileRecord(
                architecture=name,
                status=Status.PASSED,
                kernels=(resources(),),
                object_sha256="f",
            )
            for name in TARGET.architectures
        ),
        "cases": tuple(
            right(case, origin, wave)
            for case in variants
            for origin, wave in (("public", 32), ("held out", 64))
        ),
        "controls": (ControlRecord(name="zeros", rejected=True, status=Status.WRONG_VALUE),),
    }
    fields |= {"sandbox": "bubblewrap", **changes}
    timed = {e.case.name: e.case for e in fields.get("estimates", ())}
    fields["cases"] += tuple(right(c, "timed", wave) for c in timed.values() for wave in (32, 64))
    scope = Scope(
        seed=1,
        architectures=tuple(record.architecture for record in fields["compiles"]),
        executions=len(fields["cases"]),
        controls=("zeros",),
        timing_cases=tuple(timed),
    )
    return Evidence(scope=scope, **fields)


def estimated(**ranges: tuple[float, float]) -> Evidence:
    """Evidence whose speed-ups are `ranges` on the architectures named, and 2 on the others."""
    case = TARGET.timing_cases[0]
    speedups: list[Speedup] = []
    estimates: list[Estimate] = []
    for name in TARGET.architectures:
        low, high = ranges.get(name, (2.0, 2.0))
        speedups.append(Speedup(architecture=name, case=case, low=low, high=high))
        estimates.append(
            Estimate(
                architecture=name,
                case=case,
                low_microseconds=1,
                high_microseconds=2,
                bottleneck="L2",
                terms={},
            )
        )
    return evidence(speedups=tuple(speedups), estimates=tuple(estimates))


def final(
    found: Evidence, operator: OperatorFacts = OPERATOR, cross: Review | None = None
) -> Review:
    cross = cross or cross_review(TARGET, candidate(), found)
    return final_review(TARGET, candidate(), found, operator, cross)


def test_an_honest_kernel_is_approved_by_both() -> None:
    found = evidence()
    assert cross_review(TARGET, candidate(), found).verdict is Verdict.APPROVE
    assert final(found).verdict is Verdict.APPROVE


def test_every_remark_cites_the_evidence_or_a_line() -> None:
    source = "#include <hip/hip_runtime.h>\nint lane = threadIdx.x % 32;\n"
    review = cross_review(TARGET, candidate(source), evidence(source))
    assert [f.cites for f in review.findings] == ["kernel.hip:2"]
    assert review.verdict is Verdict.APPROVE


@pytest.mark.parametrize(
    "line", ["threadIdx.x % warpSize", "// threadIdx.x % 32", "blockIdx.x % 32"]
)
def test_code_without_a_wave_assumption_gets_no_remark(line: str) -> None:
    assert cross_review(TARGET, candidate(line), evidence(line)).findings == ()


@pytest.mark.parametrize("origin", ["held out", "public"])
def test_evidence_without_held_out_cases_or_without_a_wave_size_is_rejected(origin: str) -> None:
    some = tuple(record for record in evidence().cases if record.origin != origin)
    assert cross_review(TARGET, candidate(), evidence(cases=some)).verdict is Verdict.REJECT


def test_a_variant_that_no_case_covers_needs_changes() -> None:
    first = evidence().cases[0].case.dtypes
    some = tuple(record for record in evidence().cases if record.case.dtypes == first)
    review = cross_review(TARGET, candidate(), evidence(cases=some))
    assert review.verdict is Verdict.CHANGES


def test_failed_evidence_is_rejected() -> None:
    wrong = Finding(status=Status.WRONG_VALUE, message="y is wrong")
    failed = evidence(status=Status.WRONG_VALUE, tier=Tier.T1, findings=(wrong,))
    assert cross_review(TARGET, candidate(), failed).verdict is Verdict.REJECT
    assert final(failed).verdict is Verdict.REJECT


def test_a_missing_architecture_is_a_blocker() -> None:
    found = evidence()
    fewer = found.model_copy(update={"compiles": found.compiles[1:]})
    assert final(fewer).verdict is Verdict.REJECT


def test_a_failing_operator_is_a_blocker_and_a_missing_torch_is_a_note() -> None:
    found = evidence()
    bad = OperatorFacts(Status.WRONG_VALUE, "op-1", "gradient")
    absent = OperatorFacts(Status.NOT_RUN, "op-1", "torch is not installed", could_not_run=True)
    unfinished = OperatorFacts(Status.NOT_RUN, "op-1", "no operator: nothing was sent")
    assert final(found, bad).verdict is Verdict.REJECT
    assert final(found, unfinished).verdict is Verdict.REJECT
    review = final(found, absent)
    assert review.verdict is Verdict.APPROVE
    assert any("torch is not installed" in finding.message for finding in review.findings)


def test_an_estimated_regression_on_one_architecture_needs_changes() -> None:
    assert final(estimated(gfx90a=(0.5, 0.9))).verdict is Verdict.CHANGES


def test_a_slowdown_that_is_not_excluded_is_remarked_and_no_reason_to_refuse() -> None:
    review = final(estimated(gfx90a=(0.8, 3.0)))
    assert review.verdict is Verdict.APPROVE
    assert any("slowdown on gfx90a" in finding.message for finding in review.findings)


def test_the_final_review_needs_the_cross_review_of_the_same_kernel() -> None:
    found = evidence()
    other = cross_review(TARGET, candidate("// another"), evidence("// another"))
    assert final(found, cross=other).verdict is Verdict.REJECT


def test_spills_are_remarked_with_their_architecture() -> None:
    found = evidence()
    spilling = found.compiles[0].model_copy(update={"kernels": (resources(vgpr_spills=4),)})
    review = final(found.model_copy(update={"compiles": (spilling, *found.compiles[1:])}))
    assert any("gfx90a: k use scratch" in finding.message for finding in review.findings)
