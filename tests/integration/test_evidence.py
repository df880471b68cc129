import pytest

from rocm_pipeline.integration.evidence import CheckRecord, OperatorEvidence
from rocm_pipeline.integration.job import NEEDS_BACKWARD, VALUE_CHECKS, Check
from rocm_pipeline.lab.evidence import Status


def passed(check: Check) -> CheckRecord:
    ratio = 0.5 if check in VALUE_CHECKS else None
    return CheckRecord(check=check, status=Status.PASSED, worst_ratio=ratio)


def evidence(*other: CheckRecord, torch_version: str | None = "2.13.0") -> OperatorEvidence:
    instead = {record.check: record for record in other}
    return OperatorEvidence(
        target="row_softmax",
        candidate="k-1",
        package_sha256="0" * 64,
        seed=1,
        torch_version=torch_version,
        checks=tuple(instead.get(check, passed(check)) for check in Check),
    )


def test_all_checks_passed_is_passed() -> None:
    assert evidence().status is Status.PASSED


def test_the_first_failure_in_order_is_the_overall_status() -> None:
    wrong = CheckRecord(check=Check.BACKWARD, status=Status.WRONG_VALUE, message="off")
    cheat = CheckRecord(check=Check.KERNEL_USED, status=Status.CHEAT, message="no kernel")
    assert evidence(wrong, cheat).status is Status.CHEAT


def test_a_check_that_did_not_run_keeps_the_whole_from_passing() -> None:
    missing = CheckRecord(check=Check.COMPILE, status=Status.NOT_RUN, message="no time")
    assert evidence(missing).status is Status.NOT_RUN
    assert not evidence(missing).could_not_run


def test_only_without_pytorch_could_nothing_be_run() -> None:
    absent = [CheckRecord(check=c, status=Status.NOT_RUN, message="no torch") for c in Check]
    assert evidence(*absent, torch_version=None).could_not_run
    refused = CheckRecord(check=Check.POLICY, status=Status.POLICY_VIOLATION, message="import os")
    assert not evidence(refused, *absent[1:], torch_version=None).could_not_run


def test_a_target_without_a_backward_can_pass_but_its_checks_do_not() -> None:
    records = [
        CheckRecord(check=check, status=Status.UNSUPPORTED, message="no backward")
        for check in NEEDS_BACKWARD
    ]
    assert evidence(*records).status is Status.PASSED


def test_only_the_backward_can_be_unsupported() -> None:
    record = CheckRecord(check=Check.FORWARD, status=Status.UNSUPPORTED, message="no")
    with pytest.raises(ValueError, match="only checks of the backward"):
        evidence(record)


def test_nothing_passes_without_pytorch() -> None:
    with pytest.raises(ValueError, match="without PyTorch"):
        evidence(torch_version=None)


def test_a_value_check_cannot_pass_without_its_figure() -> None:
    with pytest.raises(ValueError, match="worst_ratio"):
        CheckRecord(check=Check.FORWARD, status=Status.PASSED)


def test_a_failure_needs_a_message_and_carries_no_figure() -> None:
    with pytest.raises(ValueError, match="needs a message"):
        CheckRecord(check=Check.FORWARD, status=Status.WRONG_VALUE)
    with pytest.raises(ValueError, match="worst_ratio"):
        CheckRecord(check=Check.FORWARD, status=Status.WRONG_VALUE, message="off", worst_ratio=0.5)


def test_a_missing_check_is_refused() -> None:
    whole = evidence()
    with pytest.raises(ValueError, match="every check"):
        OperatorEvidence.model_validate({**dict(whole), "checks": whole.checks[1:]})
