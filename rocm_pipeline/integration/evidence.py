"""What verification found about one operator package."""

import hashlib

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rocm_pipeline.integration.job import NEEDS_BACKWARD, VALUE_CHECKS, Check
from rocm_pipeline.lab.evidence import Status


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CheckRecord(_Frozen):
    """One check. A value check that PASSED carries its largest error over what is allowed."""

    check: Check
    status: Status
    message: str = ""
    worst_ratio: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _figures_with_a_pass(self) -> "CheckRecord":
        passed = self.status is Status.PASSED
        if not passed and not self.message:
            raise ValueError(f"{self.status.value} needs a message")
        if (passed and self.check in VALUE_CHECKS) != (self.worst_ratio is not None):
            raise ValueError("worst_ratio belongs to value checks that PASSED, and to no others")
        return self


class OperatorEvidence(_Frozen):
    """The whole record about one operator package; every check has exactly one entry."""

    target: str
    candidate: str
    package_sha256: str
    seed: int
    """From which the inputs were drawn, after the package was known."""
    torch_version: str | None
    """None when PyTorch is not installed; then nothing ran."""
    checks: tuple[CheckRecord, ...]

    @model_validator(mode="after")
    def _complete(self) -> "OperatorEvidence":
        if tuple(record.check for record in self.checks) != tuple(Check):
            raise ValueError("every check must be there once, in order")
        if self.torch_version is None and any(
            record.status is Status.PASSED and record.check is not Check.POLICY
            for record in self.checks
        ):
            raise ValueError("nothing can pass without PyTorch")
        if any(
            record.status is Status.UNSUPPORTED and record.check not in NEEDS_BACKWARD
            for record in self.checks
        ):
            raise ValueError("only checks of the backward can be UNSUPPORTED")
        return self

    @property
    def id(self) -> str:
        """Content hash of the record; what reviews cite."""
        return "op-" + hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def could_not_run(self) -> bool:
        """Whether nothing failed for the one reason that is no fault: there is no PyTorch."""
        return self.torch_version is None and self.status is Status.NOT_RUN

    @property
    def failures(self) -> tuple[CheckRecord, ...]:
        """Checks that ran and did not pass."""
        fine = (Status.PASSED, Status.UNSUPPORTED, Status.NOT_RUN)
        return tuple(record for record in self.checks if record.status not in fine)

    @property
    def status(self) -> Status:
        """The first failure; else NOT_RUN when anything was not run; else PASSED."""
        if self.failures:
            return self.failures[0].status
        if any(record.status is Status.NOT_RUN for record in self.checks):
            return Status.NOT_RUN
        return Status.PASSED

    def record(self, check: Check) -> CheckRecord:
        return next(record for record in self.checks if record.check is check)
