"""Each rule of the evidence models: a record that breaks it alone, and one that passes."""

import copy
from typing import Any

import pytest
from pydantic import ValidationError

from rocm_pipeline.lab.evidence import (
    NO_DEVICE,
    NOT_FAILED,
    CaseRecord,
    CompileRecord,
    ControlRecord,
    Estimate,
    Evidence,
    Finding,
    Scope,
    Speedup,
    Status,
    Tier,
    too_few_at_their_size,
)
from tests.fakes.values import a_candidate, a_passing_evidence, a_target

TARGET = a_target()
WHOLE = a_passing_evidence(TARGET, a_candidate(TARGET)).model_dump(mode="json")
WRONG = {"status": "WRONG_VALUE", "message": "y is wrong"}
FAILED = ("COMPILE_ERROR", "NOT_RUN", "INCONCLUSIVE", "UNSUPPORTED", "CHEAT")
NAN, INF = float("nan"), float("inf")


def changed(document: dict[str, Any], *changes: tuple[str, Any]) -> dict[str, Any]:
    """Return a copy with values at dotted paths replaced; `...` takes one away."""
    document = copy.deepcopy(document)
    for path, value in changes:
        *parts, last = path.split(".")
        holder: Any = document
        for part in parts:
            holder = holder[int(part) if part.isdigit() else part]
        last = int(last) if last.isdigit() else last
        if value is ...:
            del holder[last]
        else:
            holder[last] = value
    return document


def refused(model: Any, document: dict[str, Any], words: str = "") -> None:
    with pytest.raises(ValidationError, match=words):
        model.model_validate(document)


def test_the_whole_record_is_accepted_with_and_without_speed_ups() -> None:
    found = Evidence.model_validate(WHOLE)
    assert found.status is Status.PASSED
    assert found.architectures_compiled == TARGET.architectures
    assert found.id.startswith("ev-")
    assert len(found.id) == 19
    assert found.id == Evidence.model_validate(WHOLE).id
    assert found.id != Evidence.model_validate(changed(WHOLE, ("cases.0.seed", 2))).id
    Evidence.model_validate(changed(WHOLE, ("speedups", [])))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("tier", None)], "tier T2"),
        ([("tier", 1)], "tier T2"),
        ([("tier", 5), ("measured_on", "a card")], "T5 is said"),
        ([("tier", 3)], "needs a device"),
        ([("tier", 4)], "needs a device"),
        ([("findings", [WRONG])], "must not carry findings"),
        ([("cases", [])], "PASSED needs cases"),
        ([("controls", [])], "PASSED needs controls"),
        ([("sandbox", "")], "PASSED needs the name of the sandbox"),
        ([("compiles", [])], "every architecture compiled"),
        ([("scope", None)], "needs its scope"),
        ([("compiles.0", ...)], "compiled for"),
        ([("compiles.0.architecture", "gfx942")], "compiled for"),
        ([("scope.executions", 2)], "3 case records of 2 executions"),
        ([("scope.controls", ["zeros", "copy"])], "controls"),
        ([("cases.1.wave", 64)], "each timing case judged once on each wave size"),
        ([("cases.1.origin", "large")], "each timing case judged once on each wave size"),
        ([("cases.2.case.scale", 2.0)], "each timing case judged once on each wave size"),
        ([("cases.2.stands_for", "n=1")], "each timing case judged once on each wave size"),
        ([("cases.0.stands_for", "n=1")], "a public case may not be replaced"),
        (
            [("cases.0.origin", "held out"), ("cases.0.stands_for", "n=1")],
            "1 of 1 executions at sizes of the harness's own did too much",
        ),
        ([("estimates.0", ...)], "estimates of"),
        ([("estimates.0.case.scale", 2.0)], "estimates of"),
        ([("estimates.0.architecture", "gfx942")], "estimates of"),
        ([("speedups.0", ...)], "speed-ups of"),
        ([("speedups.0.architecture", "gfx942")], "speed-ups of"),
        ([("speedups.0.case.scale", 2.0)], "speed-ups of"),
        ([("more", 1)], ""),
        ([("identity.more", 1)], ""),
    ],
)
def test_each_gap_in_a_pass_is_refused(changes: list[tuple[str, Any]], words: str) -> None:
    refused(Evidence, changed(WHOLE, *changes), words)


@pytest.mark.parametrize("status", FAILED)
def test_a_pass_with_a_part_that_did_not_pass_is_refused(status: str) -> None:
    case = {**WHOLE["cases"][0], "status": status, "max_absolute_error": None, "worst_ratio": None}
    case["findings"] = [WRONG]
    build = {"architecture": "gfx90a", "status": status, "message": "why"}
    control = {"name": "zeros", "rejected": False, "status": "PASSED"}
    refused(Evidence, changed(WHOLE, ("cases.0", case)), "PASSED needs cases")
    refused(Evidence, changed(WHOLE, ("compiles.0", build)), "every architecture compiled")
    refused(Evidence, changed(WHOLE, ("controls.0", control)), "PASSED needs controls")


def test_a_device_may_be_named_at_any_tier_and_must_be_from_t3_on() -> None:
    for tier in (2, 3, 4):
        found = Evidence.model_validate(changed(WHOLE, ("tier", tier), ("measured_on", "a card")))
        assert found.tier == tier
    assert Evidence.model_validate(WHOLE).measured_on == NO_DEVICE


@pytest.mark.parametrize("status", [s.value for s in Status if s is not Status.PASSED])
def test_a_failure_says_why_and_carries_no_speed_up(status: str) -> None:
    failed = changed(WHOLE, ("status", status), ("speedups", []))
    refused(Evidence, failed, "nothing in the record says why")
    refused(Evidence, changed(failed, ("scope", None)), "nothing in the record says why")
    told = changed(failed, ("findings", [WRONG]))
    assert Evidence.model_validate(told).speedups == ()
    Evidence.model_validate(changed(told, ("cases", []), ("compiles", []), ("scope", None)))
    build = {"architecture": "gfx90a", "status": "COMPILE_ERROR", "message": "why"}
    by_build = changed(failed, ("compiles", [build]), ("cases", []), ("scope", None))
    assert Evidence.model_validate(by_build).architectures_compiled == ()
    refused(Evidence, changed(told, ("speedups", WHOLE["speedups"])), "must not carry a speed-up")
    too_many = [WHOLE["cases"][0]] * 4
    refused(Evidence, changed(told, ("cases", too_many)), "4 case records of 3")
    Evidence.model_validate(changed(told, ("cases", [])))


@pytest.mark.parametrize("status", list(Status))
def test_a_finding_is_a_defect(status: Status) -> None:
    if status in (Status.PASSED, Status.NOT_RUN):
        refused(Finding, {"status": status, "message": "m"}, "a finding cannot")
    else:
        assert Finding.model_validate({"status": status, "message": "m"}).status is status


@pytest.mark.parametrize("status", list(Status))
def test_a_control_is_rejected_by_a_failure_and_by_nothing_else(status: Status) -> None:
    absent = status in NOT_FAILED
    expected = {"PASSED", "NOT_RUN", "UNSUPPORTED", "INCONCLUSIVE"}
    assert absent == (status.value in expected)
    assert ControlRecord(name="zeros", rejected=not absent, status=status).rejected is not absent
    refused(ControlRecord, {"name": "zeros", "rejected": absent, "status": status}, "rejected is")


def test_a_case_has_its_errors_or_its_findings() -> None:
    case = WHOLE["cases"][0]
    for edge in (0.0, 1.0):
        assert CaseRecord.model_validate(changed(case, ("worst_ratio", edge))).worst_ratio == edge
    CaseRecord.model_validate(changed(case, ("max_absolute_error", 0.0)))
    for part in ("worst_ratio", "max_absolute_error"):
        for bad in (None, NAN, INF, -0.1):
            refused(CaseRecord, changed(case, (part, bad)))
    refused(CaseRecord, changed(case, ("worst_ratio", 1.0001)), "above the tolerance")
    refused(CaseRecord, changed(case, ("findings", [WRONG])), "exactly when it did not pass")
    failed = changed(case, ("status", "WRONG_VALUE"), ("findings", [WRONG]))
    for ratio in (None, 0.5, 7.0):
        for error in (None, 0.5):
            CaseRecord.model_validate(
                changed(failed, ("worst_ratio", ratio), ("max_absolute_error", error))
            )
    refused(CaseRecord, changed(failed, ("findings", [])), "exactly when it did not pass")


def test_a_build_has_kernels_and_an_object_or_a_reason() -> None:
    build = WHOLE["compiles"][0]
    assert CompileRecord.model_validate(changed(build, ("message", "a warning"))).kernels
    for part, none in (("kernels", []), ("object_sha256", None)):
        refused(CompileRecord, changed(build, (part, none)), "exactly when it PASSED")
    failed = changed(build, ("status", "TIMEOUT"), ("kernels", []), ("object_sha256", None))
    refused(CompileRecord, failed, "TIMEOUT needs a message")
    told = changed(failed, ("message", "too long"))
    CompileRecord.model_validate(told)
    CompileRecord.model_validate(changed(build, ("code_sha256", "0")))
    refused(CompileRecord, changed(told, ("code_sha256", "0")), "TIMEOUT has no machine code")
    refused(CompileRecord, changed(told, ("kernels", build["kernels"])), "exactly when")
    refused(CompileRecord, changed(told, ("object_sha256", "0")), "exactly when")


@pytest.mark.parametrize(
    ("model", "part", "low", "high"),
    [
        (Estimate, "estimates", "low_microseconds", "high_microseconds"),
        (Speedup, "speedups", "low", "high"),
    ],
)
def test_a_range_is_finite_positive_and_in_order(
    model: Any, part: str, low: str, high: str
) -> None:
    record = WHOLE[part][0]
    for ends in ((1.0, 2.0), (1.0, 1.0), (0.001, 0.002)):
        found = model.model_validate(changed(record, (low, ends[0]), (high, ends[1])))
        assert (getattr(found, low), getattr(found, high)) == ends
    refused(model, changed(record, (low, 2.0), (high, 1.0)), "low is above high")
    for bad in (0.0, -1.0, NAN, INF, -INF, None):
        refused(model, changed(record, (low, bad)))
        refused(model, changed(record, (high, bad)))
        refused(model, changed(record, (low, bad), (high, bad)))
        if bad is not None and not bad > 0:
            words = str(refusal(model, changed(record, (high, bad))))
            assert high in words, words


def refusal(model: Any, document: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as found:
        model.model_validate(document)
    return str(found.value)


def test_a_scope_asks_for_something() -> None:
    scope = WHOLE["scope"]
    Scope.model_validate(changed(scope, ("timing_cases", []), ("executions", 1)))
    Scope.model_validate(changed(scope, ("architectures", ["gfx90a"])))
    for part, none in (
        ("architectures", []),
        ("controls", []),
        ("executions", 0),
        ("executions", -1),
    ):
        refused(Scope, changed(scope, (part, none)), part)


def test_records_cannot_be_changed() -> None:
    found = Evidence.model_validate(WHOLE)
    with pytest.raises(ValidationError):
        found.status = Status.PASSED  # pyright: ignore[reportAttributeAccessIssue]


def test_tiers_have_their_order_and_names() -> None:
    assert [(tier.label, int(tier)) for tier in Tier] == [(f"T{n}", n) for n in range(6)]


@pytest.mark.parametrize("origin", ["held out", "agent", "repeat"])
def test_half_of_what_was_drawn_may_be_replaced_and_no_more(origin: str) -> None:
    case = CaseRecord.model_validate(changed(WHOLE["cases"][0], ("origin", origin)))
    replaced = case.model_copy(update={"stands_for": "n=1"})
    assert too_few_at_their_size([case, replaced]) is None
    assert too_few_at_their_size([case, case, case, replaced, replaced, replaced]) is None
    told = too_few_at_their_size([case, replaced, replaced])
    assert told is not None
    assert told.startswith("2 of 3 executions")


def test_large_and_timed_cases_may_all_be_replaced() -> None:
    case = CaseRecord.model_validate(changed(WHOLE["cases"][0], ("origin", "large")))
    assert too_few_at_their_size([case.model_copy(update={"stands_for": "n=1"})]) is None
