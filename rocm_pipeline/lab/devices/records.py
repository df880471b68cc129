"""What was found about a candidate on a device: tiers T3 (right there) and T4 (timed there).

Without a device a record is NOT_RUN with the reason; that is no failure, and never a pass.
"""

import hashlib

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rocm_pipeline.lab.devices.model import DeviceFacts, Kind
from rocm_pipeline.lab.devices.paired import Verdict
from rocm_pipeline.lab.evidence import CaseRecord, Finding, Status, Tier
from rocm_pipeline.targets.subject import Case


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DeviceRecord(_Frozen):
    """What both kinds of records say first."""

    target: str
    kind: Kind
    device: DeviceFacts | None = None
    status: Status
    reason: str = ""
    """Why it was not run, or is inconclusive; empty otherwise."""
    findings: tuple[Finding, ...] = ()
    seed: int | None = None
    """From which every value and size was drawn."""
    sandbox: str = ""

    @property
    def id(self) -> str:
        """Content hash of the record; what reports cite."""
        return "dev-" + hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @model_validator(mode="after")
    def _says_why(self) -> "DeviceRecord":
        if self.status is Status.NOT_RUN and not self.reason:
            raise ValueError("NOT_RUN needs a reason")
        if self.status is Status.PASSED and (self.device is None or not self.sandbox):
            raise ValueError("PASSED needs the device and the sandbox in which it was run")
        if self.status is Status.PASSED and (self.findings or self.reason):
            raise ValueError("PASSED must not carry findings or a reason")
        failed = self.status not in (Status.PASSED, Status.NOT_RUN, Status.INCONCLUSIVE)
        if failed and not self.findings:
            raise ValueError(f"{self.status.value} needs a finding")
        return self


class CorrectnessRecord(DeviceRecord):
    """T3: the candidate's outputs on the device against the reference (T2 on the CPU)."""

    candidate: str
    source_sha256: str
    plan_sha256: str
    program_sha256: str | None = None
    """Of the code object or PTX."""
    executions: int = 0
    """Cases that were to be run."""
    cases: tuple[CaseRecord, ...] = ()

    @property
    def tier(self) -> Tier | None:
        """The tier that this pass reaches."""
        if self.status is not Status.PASSED:
            return None
        return Tier.T2 if self.kind is Kind.CPU else Tier.T3

    @model_validator(mode="after")
    def _whole(self) -> "CorrectnessRecord":
        if self.status is Status.NOT_RUN and self.cases:
            raise ValueError("NOT_RUN must not carry cases")
        if self.status is Status.PASSED:
            if not self.cases or len(self.cases) != self.executions:
                raise ValueError(f"{len(self.cases)} case records of {self.executions}")
            if any(case.status is not Status.PASSED for case in self.cases):
                raise ValueError("PASSED needs every case passed")
            if self.program_sha256 is None:
                raise ValueError("PASSED needs the program that was run")
        return self


class CaseTiming(_Frozen):
    """Two kernels timed in pairs on one case."""

    case: Case
    verdict: Verdict
    reason: str = ""
    """Why it is inconclusive."""
    speedup: float = Field(gt=0)
    """Baseline over candidate, the median of the pairs."""
    low: float = Field(gt=0)
    high: float = Field(gt=0)
    spread: float = Field(ge=0)
    pairs: tuple[tuple[float, float], ...] = Field(min_length=1)
    """Microseconds of the baseline and of the candidate, in the order of measurement; in every
    other pair the candidate ran first."""
    flush_bytes: int = Field(ge=0)
    """Written before each run."""
    input_sets: int = Field(ge=1)
    """Different inputs that the runs went through."""
    checked_outputs: int = Field(ge=1)
    """Different outputs of timed runs, every one of which was compared with the reference."""
    clocks: dict[str, tuple[float, float]]
    """Lowest and highest frequency in MHz while the pairs ran; empty where none can be read."""


class TimingRecord(DeviceRecord):
    """T4: a candidate against a baseline on one device, in interleaved pairs."""

    baseline: str
    candidate: str
    cases_wanted: int = 0
    timings: tuple[CaseTiming, ...] = ()

    @property
    def tier(self) -> Tier | None:
        return Tier.T4 if self.status is Status.PASSED else None

    @model_validator(mode="after")
    def _whole(self) -> "TimingRecord":
        if self.kind is Kind.CPU and self.status is not Status.NOT_RUN:
            raise ValueError("the emulator's times say nothing about a GPU")
        if self.status is Status.PASSED:
            if not self.timings or len(self.timings) != self.cases_wanted:
                raise ValueError(f"{len(self.timings)} timings of {self.cases_wanted}")
            if any(t.verdict is Verdict.INCONCLUSIVE for t in self.timings):
                raise ValueError("PASSED with a timing that is inconclusive")
        elif self.status is not Status.INCONCLUSIVE and self.timings:
            raise ValueError(f"{self.status.value} must not carry times")
        return self
