"""Each rule of an operator's record: one that breaks it alone, and one that passes."""

import pytest
from pydantic import ValidationError

from rocm_pipeline.integration.evidence import CheckRecord, OperatorEvidence
from rocm_pipeline.integration.job import Check
from rocm_pipeline.lab.evidence import Status
from tests.fakes.values import a_candidate, a_target, an_operator_evidence
from tests.mutation.test_evidence_rules import INF, NAN, changed, refused

TARGET = a_target()
OPERATOR = an_operator_evidence(TARGET, a_candidate(TARGET), Status.PASSED).model_dump(mode="json")
CHECKS = {check["check"]: index for index, check in enumerate(OPERATOR["checks"])}
WITH_VALUES = ("forward", "equivalent", "strides", "backward", "compile")
BACKWARDS = ("autograd", "backward", "gradcheck")


def test_every_check_of_an_operator_is_there_once_in_order() -> None:
    found = OperatorEvidence.model_validate(OPERATOR)
    assert found.status is Status.PASSED
    assert found.failures == ()
    assert found.id.startswith("op-")
    assert len(found.id) == 19
    assert found.id != OperatorEvidence.model_validate(changed(OPERATOR, ("seed", 2))).id
    assert found.record(Check.STRIDES).check is Check.STRIDES
    checks = OPERATOR["checks"]
    for wrong in (checks[:-1], checks[::-1], [*checks, checks[0]], []):
        refused(OperatorEvidence, {**OPERATOR, "checks": wrong}, "every check must be there once")


@pytest.mark.parametrize("check", list(CHECKS))
@pytest.mark.parametrize("status", [s.value for s in Status if s is not Status.PASSED])
def test_one_check_that_did_not_pass_is_the_status_of_all(check: str, status: str) -> None:
    record = {"check": check, "status": status, "message": "why"}
    document = changed(OPERATOR, (f"checks.{CHECKS[check]}", record))
    if status == "UNSUPPORTED" and check not in BACKWARDS:
        refused(OperatorEvidence, document, "only checks of the backward")
        return
    found = OperatorEvidence.model_validate(document)
    assert found.status.value == ("PASSED" if status == "UNSUPPORTED" else status)
    assert bool(found.failures) == (status not in ("UNSUPPORTED", "NOT_RUN"))
    assert found.record(Check(check)).status.value == status


def test_a_failure_comes_before_what_was_not_run() -> None:
    first = {"check": "load", "status": "NOT_RUN", "message": "why"}
    last = {"check": "bad_input", "status": "CRASHED", "message": "why"}
    places = (("checks.1", first), (f"checks.{len(CHECKS) - 1}", last))
    found = OperatorEvidence.model_validate(changed(OPERATOR, *places))
    assert found.status is Status.CRASHED
    assert [record.check for record in found.failures] == [Check.BAD_INPUT]


def test_nothing_but_the_policy_passes_without_pytorch() -> None:
    refused(OperatorEvidence, changed(OPERATOR, ("torch_version", None)), "without PyTorch")
    absent = [{"check": c, "status": "NOT_RUN", "message": "why"} for c in CHECKS]
    absent[CHECKS["policy"]] = OPERATOR["checks"][CHECKS["policy"]]
    document = changed(OPERATOR, ("torch_version", None), ("checks", absent))
    found = OperatorEvidence.model_validate(document)
    assert found.status is Status.NOT_RUN
    assert found.could_not_run
    refused_too = changed(document, (f"checks.{CHECKS['policy']}.status", "POLICY_VIOLATION"))
    refused_too["checks"][CHECKS["policy"]] |= {"message": "why"}
    assert not OperatorEvidence.model_validate(refused_too).could_not_run


def test_what_was_not_run_although_pytorch_is_there_is_no_excuse() -> None:
    last = {"check": "bad_input", "status": "NOT_RUN", "message": "why"}
    found = OperatorEvidence.model_validate(changed(OPERATOR, (f"checks.{len(CHECKS) - 1}", last)))
    assert found.status is Status.NOT_RUN
    assert not found.could_not_run


@pytest.mark.parametrize("check", list(CHECKS))
def test_a_check_has_its_figure_or_its_reason(check: str) -> None:
    record = OPERATOR["checks"][CHECKS[check]]
    has_figure = check in WITH_VALUES
    assert (record["worst_ratio"] is not None) == has_figure
    refused(
        CheckRecord, {**record, "worst_ratio": None if has_figure else 0.5}, "worst_ratio belongs"
    )
    refused(CheckRecord, {"check": check, "status": "CRASHED"}, "CRASHED needs a message")
    failed = {"check": check, "status": "CRASHED", "message": "why"}
    CheckRecord.model_validate(failed)
    refused(CheckRecord, {**failed, "worst_ratio": 0.5}, "worst_ratio belongs")
    refused(CheckRecord, {**record, "more": 1})
    if has_figure:
        for edge in (0.0, 1.0):
            CheckRecord.model_validate({**record, "worst_ratio": edge})
        for bad in (-0.1, 1.1, NAN, INF):
            refused(CheckRecord, {**record, "worst_ratio": bad})
    with pytest.raises(ValidationError):
        CheckRecord.model_validate(record).status = Status.PASSED  # pyright: ignore[reportAttributeAccessIssue]
