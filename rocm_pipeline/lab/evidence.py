"""What the harness found about one artefact.

Absent, unsupported, failed, inconclusive and passed are different states, and the models below
cannot express a pass that lacks its figures or a failure that carries them.
"""

import hashlib
from enum import Enum, IntEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rocm_pipeline.targets.spec import Case


class Status(str, Enum):
    """The closed list of outcomes of a check."""

    PASSED = "PASSED"
    COMPILE_ERROR = "COMPILE_ERROR"
    POLICY_VIOLATION = "POLICY_VIOLATION"
    WRONG_SHAPE = "WRONG_SHAPE"
    WRONG_DTYPE = "WRONG_DTYPE"
    WRONG_VALUE = "WRONG_VALUE"
    NONFINITE = "NONFINITE"
    OUT_OF_BOUNDS = "OUT_OF_BOUNDS"
    RACE = "RACE"
    NONDETERMINISTIC = "NONDETERMINISTIC"
    TIMEOUT = "TIMEOUT"
    CRASHED = "CRASHED"
    CHEAT = "CHEAT"
    INCONCLUSIVE = "INCONCLUSIVE"
    UNSUPPORTED = "UNSUPPORTED"
    NOT_RUN = "NOT_RUN"


class Tier(IntEnum):
    """How far a candidate got; printed wherever it is shown."""

    T0 = 0
    """Parsed: source, launch plan and policy are in order."""
    T1 = 1
    """Compiled for the target's architectures."""
    T2 = 2
    """Right on the CPU emulator, with its bounds, race, LDS and barrier checks."""
    T3 = 3
    """Ran on a device."""
    T4 = 4
    """Timed on a device in interleaved pairs."""
    T5 = 5
    """Reproduced from a clean workspace."""

    @property
    def label(self) -> str:
        return self.name


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Frozen):
    """One defect, in words an agent can act on."""

    status: Status
    message: str
    kernel: str | None = None
    line: int | None = None
    """Line of the candidate's own source."""
    block: tuple[int, int, int] | None = None
    thread: tuple[int, int, int] | None = None
    buffer: str | None = None

    @model_validator(mode="after")
    def _is_a_defect(self) -> "Finding":
        if self.status in (Status.PASSED, Status.NOT_RUN):
            raise ValueError(f"a finding cannot have the status {self.status.value}")
        return self


class KernelResources(_Frozen):
    """What one kernel takes on one architecture, read from the code object."""

    name: str
    vgprs: int
    agprs: int
    sgprs: int
    lds_bytes: int
    """Static LDS; the launch plan's `shared_bytes` comes on top."""
    scratch_bytes: int
    vgpr_spills: int
    sgpr_spills: int
    wave: int
    max_workgroup: int
    kernarg_bytes: int
    block_threads: int
    """Work-items per block for which the occupancy holds."""
    waves_per_simd: float
    occupancy: float
    """Resident waves over the architecture's maximum, 0 to 1."""
    limited_by: Literal["registers", "LDS", "workgroup size", "nothing"]
    instructions: dict[str, int]
    """Static instruction count by class: valu, salu, vmem, smem, lds, matrix, ..."""


class CompileRecord(_Frozen):
    """One candidate compiled for one architecture."""

    architecture: str
    status: Status
    message: str = ""
    kernels: tuple[KernelResources, ...] = ()
    object_sha256: str | None = None

    @model_validator(mode="after")
    def _figures_with_a_pass(self) -> "CompileRecord":
        passed = self.status is Status.PASSED
        if passed != bool(self.kernels) or passed != (self.object_sha256 is not None):
            raise ValueError("a compile record has kernels and an object exactly when it PASSED")
        if not passed and not self.message:
            raise ValueError(f"{self.status.value} needs a message")
        return self


class CaseRecord(_Frozen):
    """One execution of a candidate on one case."""

    case: Case
    origin: Literal["public", "held out", "agent"]
    seed: int
    wave: Literal[32, 64]
    lane_order: Literal["forward", "reverse"]
    status: Status
    max_absolute_error: float | None = None
    worst_ratio: float | None = None
    """Largest error over what the tolerance allows there; at most 1 in a pass."""
    findings: tuple[Finding, ...] = ()

    @model_validator(mode="after")
    def _figures_with_a_pass(self) -> "CaseRecord":
        passed = self.status is Status.PASSED
        if passed and (self.worst_ratio is None or self.max_absolute_error is None):
            raise ValueError("PASSED needs its errors")
        if passed and self.worst_ratio is not None and self.worst_ratio > 1:
            raise ValueError("PASSED with an error above the tolerance")
        if passed == bool(self.findings):
            raise ValueError("a case has findings exactly when it did not pass")
        return self


class ControlRecord(_Frozen):
    """A trivial kernel that must fail on this target, or else the target judges nothing."""

    name: str
    rejected: bool
    status: Status


class Estimate(_Frozen):
    """A time range from a model of the machine. Never shown as measured."""

    architecture: str
    case: Case
    low_microseconds: float = Field(gt=0)
    high_microseconds: float = Field(gt=0)
    bottleneck: str
    """In words: device memory, L2, LDS, arithmetic, transcendental, latency, launch."""
    terms: dict[str, float]
    """Microseconds by resource, from which the range was made, and the figures behind them."""

    @model_validator(mode="after")
    def _ordered(self) -> "Estimate":
        if self.low_microseconds > self.high_microseconds:
            raise ValueError("low is above high")
        return self


class Speedup(_Frozen):
    """Baseline over candidate by one estimator, as a range; label: estimate."""

    architecture: str
    case: Case
    low: float = Field(gt=0)
    high: float = Field(gt=0)


class Identity(_Frozen):
    """Everything a verdict depends on; two records with one identity are the same experiment."""

    target: str
    target_sha256: str
    source_sha256: str
    plan_sha256: str
    harness: str
    """Hash of the harness's own code, headers and architecture facts."""
    toolchain: str


class Evidence(_Frozen):
    """The whole record about one candidate."""

    identity: Identity
    tier: Tier | None
    """Highest tier reached; None when it was not even parsed."""
    status: Status
    findings: tuple[Finding, ...] = ()
    compiles: tuple[CompileRecord, ...] = ()
    cases: tuple[CaseRecord, ...] = ()
    controls: tuple[ControlRecord, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    speedups: tuple[Speedup, ...] = ()
    measured_on: str = "no device (CPU emulator)"

    @model_validator(mode="after")
    def _status_matches(self) -> "Evidence":
        if self.status is Status.PASSED:
            if self.tier is None or self.tier < Tier.T2:
                raise ValueError("PASSED needs tier T2 or above")
            if not self.cases or any(c.status is not Status.PASSED for c in self.cases):
                raise ValueError("PASSED needs cases, all of them passed")
            if not self.controls or not all(control.rejected for control in self.controls):
                raise ValueError("PASSED needs controls, all of them rejected")
            if any(c.status is not Status.PASSED for c in self.compiles) or not self.compiles:
                raise ValueError("PASSED needs every architecture compiled")
        elif self.speedups:
            raise ValueError(f"{self.status.value} must not carry a speed-up")
        return self

    @property
    def id(self) -> str:
        """Content hash of the record; what reviews cite."""
        return "ev-" + hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def architectures_compiled(self) -> tuple[str, ...]:
        return tuple(c.architecture for c in self.compiles if c.status is Status.PASSED)
