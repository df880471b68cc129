"""Evidence cannot express a pass without figures, or a failure with them."""

from typing import Any

import pytest
from pydantic import ValidationError

from rocm_pipeline.lab.evidence import (
    CaseRecord,
    CompileRecord,
    ControlRecord,
    Evidence,
    Finding,
    Identity,
    KernelResources,
    Scope,
    Speedup,
    Status,
    Tier,
)
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Case

CASE = Case(symbols={"n": 1}, dtypes={"io": DType.FLOAT32})
IDENTITY = Identity(
    target="t",
    target_sha256="a",
    source_sha256="b",
    plan_sha256="c",
    harness="d",
    toolchain="e",
)
RESOURCES = KernelResources(
    name="k",
    vgprs=8,
    agprs=0,
    sgprs=8,
    lds_bytes=0,
    scratch_bytes=0,
    vgpr_spills=0,
    sgpr_spills=0,
    wave=64,
    max_workgroup=256,
    kernarg_bytes=16,
    block_threads=64,
    waves_per_simd=8,
    occupancy=1,
    limited_by="nothing",
    instructions={"valu": 3},
)
COMPILED = CompileRecord(
    architecture="gfx942", status=Status.PASSED, kernels=(RESOURCES,), object_sha256="f"
)
RIGHT = CaseRecord(
    case=CASE,
    origin="public",
    seed=1,
    wave=64,
    lane_order="forward",
    status=Status.PASSED,
    max_absolute_error=0.0,
    worst_ratio=0.0,
)
TIMED = tuple(
    RIGHT.model_copy(update={"origin": "timed", "wave": wave, "case": CASE}) for wave in (32, 64)
)
SCOPE = Scope(seed=1, architectures=("gfx942",), executions=1, controls=("zeros",))
REJECTED = ControlRecord(name="zeros", rejected=True, status=Status.WRONG_VALUE)
WRONG = Finding(status=Status.WRONG_VALUE, message="y is wrong")


def evidence(**changes: Any) -> Evidence:
    fields: dict[str, Any] = {
        "identity": IDENTITY,
        "tier": Tier.T2,
        "status": Status.PASSED,
        "compiles": (COMPILED,),
        "cases": (RIGHT,),
        "controls": (REJECTED,),
        "scope": SCOPE,
        "sandbox": "bubblewrap 0.11.0 + seccomp + no cgroup",
    }
    return Evidence(**{**fields, **changes})


def test_a_complete_pass_is_accepted_and_keeps_its_id_through_json() -> None:
    record = evidence()
    assert Evidence.model_validate_json(record.model_dump_json()).id == record.id


@pytest.mark.parametrize(
    "changes",
    [
        {"tier": Tier.T1},
        {"tier": None},
        {"tier": Tier.T3},
        {"tier": Tier.T5},
        {"scope": None},
        {"sandbox": ""},
        {"sandbox": " "},
        {"findings": (WRONG,)},
        {"cases": ()},
        {"cases": (RIGHT, RIGHT)},
        {"compiles": (COMPILED, COMPILED)},
        {"compiles": (COMPILED.model_copy(update={"architecture": "gfx1100"}),)},
        {"controls": (REJECTED, REJECTED)},
        {"controls": (REJECTED.model_copy(update={"name": "mean"}),)},
        {"scope": SCOPE.model_copy(update={"timing_cases": ("n=1",)})},
        {"cases": (RIGHT, *TIMED), "scope": SCOPE.model_copy(update={"executions": 3})},
        {"speedups": (Speedup(architecture="gfx942", case=CASE, low=1, high=2),)},
        {"controls": ()},
        {"controls": (ControlRecord(name="z", rejected=False, status=Status.PASSED),)},
        {"compiles": ()},
        {"compiles": (CompileRecord(architecture="g", status=Status.COMPILE_ERROR, message="m"),)},
        {
            "status": Status.WRONG_VALUE,
            "speedups": (Speedup(architecture="g", case=CASE, low=1, high=2),),
        },
    ],
)
def test_an_incomplete_pass_or_a_failure_with_a_speedup_is_refused(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        evidence(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"worst_ratio": None},
        {"max_absolute_error": None},
        {"worst_ratio": 1.5},
        {"findings": (WRONG,)},
        {"status": Status.WRONG_VALUE},
    ],
)
def test_a_case_record_must_fit_its_status(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CaseRecord.model_validate({**RIGHT.model_dump(), **changes})


def test_a_compile_error_carries_no_kernels() -> None:
    with pytest.raises(ValidationError):
        CompileRecord(
            architecture="g", status=Status.COMPILE_ERROR, message="m", kernels=(RESOURCES,)
        )


def test_a_finding_is_a_defect() -> None:
    for status in (Status.PASSED, Status.NOT_RUN):
        with pytest.raises(ValidationError):
            Finding(status=status, message="m")
