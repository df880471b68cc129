"""What the harness found about one artefact.

Absent, unsupported, failed, inconclusive and passed are different states, and the models below
cannot express a pass that lacks its figures or a failure that carries them.
"""

import hashlib
from collections.abc import Sequence
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


NOT_FAILED = (Status.PASSED, Status.NOT_RUN, Status.UNSUPPORTED, Status.INCONCLUSIVE)
"""States that show nothing wrong. Only the first shows that something is right."""


class Tier(IntEnum):
    """How far a candidate got; printed wherever it is shown.

    T0 to T4 are steps, and `Evidence` names the highest one reached. T5 is no step above T4: it is
    said of evidence of any tier whose figures another process reproduced, so `Evidence` cannot
    claim it of itself (see `rocm_pipeline.bundle`).
    """

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
    # Python's NaN compares as false with every limit, so it would pass all of them.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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
    code_sha256: str | None = None
    """Of the machine code alone: equal where a change of the source changed nothing."""

    @model_validator(mode="after")
    def _figures_with_a_pass(self) -> "CompileRecord":
        passed = self.status is Status.PASSED
        if passed != bool(self.kernels) or passed != (self.object_sha256 is not None):
            raise ValueError("a compile record has kernels and an object exactly when it PASSED")
        if self.code_sha256 is not None and not passed:
            raise ValueError(f"{self.status.value} has no machine code")
        if not passed and not self.message:
            raise ValueError(f"{self.status.value} needs a message")
        return self


class CaseRecord(_Frozen):
    """One execution of a candidate on one case."""

    case: Case
    origin: Literal["public", "held out", "agent", "repeat", "large", "timed"]
    seed: int
    wave: Literal[32, 64]
    lane_order: Literal["forward", "reverse"]
    status: Status
    max_absolute_error: float | None = Field(default=None, ge=0)
    worst_ratio: float | None = Field(default=None, ge=0)
    """Largest error over what the tolerance allows there; at most 1 in a pass."""
    elements: int | None = None
    """Output elements that were compared."""
    blocks: int | None = None
    """Blocks of the last launch that ran and were judged; None where all did."""
    stands_for: str | None = None
    """Name of the case in whose place this smaller one was executed, the other being too much for
    the emulator."""
    findings: tuple[Finding, ...] = ()

    @property
    def is_timed(self) -> bool:
        return self.origin == "timed"

    @model_validator(mode="after")
    def _figures_with_a_pass(self) -> "CaseRecord":
        passed = self.status is Status.PASSED
        if passed and (self.worst_ratio is None or self.max_absolute_error is None):
            raise ValueError("PASSED needs its errors")
        if passed and self.worst_ratio is not None and self.worst_ratio > 1:
            raise ValueError("PASSED with an error above the tolerance")
        if passed == bool(self.findings):
            raise ValueError("a case has findings exactly when it did not pass")
        if self.stands_for is not None and self.origin == "public":
            raise ValueError("a public case may not be replaced by a smaller one")
        return self


def too_few_at_their_size(cases: Sequence[CaseRecord]) -> str | None:
    """Say so where more than half of the cases drawn for a candidate were replaced, else None.

    A kernel decides itself how slow it is, and at which sizes. So slowness must not be a way
    around the cases that it cannot know.
    """
    drawn = [case for case in cases if case.origin in ("held out", "agent", "repeat")]
    replaced = sum(case.stands_for is not None for case in drawn)
    if 2 * replaced <= len(drawn):
        return None
    return (
        f"{replaced} of {len(drawn)} executions at sizes of the harness's own did too much for "
        "the emulator, and at least half of them must be judged at the size that was drawn"
    )


class ControlRecord(_Frozen):
    """A trivial kernel that must fail on this target, or else the target judges nothing."""

    name: str
    rejected: bool
    status: Status

    @model_validator(mode="after")
    def _rejected_for_a_reason(self) -> "ControlRecord":
        if self.rejected == (self.status in NOT_FAILED):
            raise ValueError(f"rejected is {self.rejected}, but the status {self.status.value}")
        return self


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

    @model_validator(mode="after")
    def _ordered(self) -> "Speedup":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Identity(_Frozen):
    """Everything a verdict depends on; two records with one identity are the same experiment."""

    target: str
    target_sha256: str
    source_sha256: str
    plan_sha256: str
    harness: str
    """Hash of the harness's own code, headers and architecture facts."""
    toolchain: str


class Scope(_Frozen):
    """What was to be done. A pass has done all of it, each once, and nothing else."""

    seed: int
    """From which every case and input was drawn, once the candidate was fixed."""
    architectures: tuple[str, ...] = Field(min_length=1)
    executions: int = Field(gt=0)
    """Case records: each case of the schedule on each wave size that it is run on."""
    controls: tuple[str, ...] = Field(min_length=1)
    timing_cases: tuple[str, ...] = ()
    """Names of the cases that each architecture has an estimate for."""


NO_DEVICE = "no device (CPU emulator)"


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
    scope: Scope | None = None
    """None where the candidate failed before it was known what to run."""
    measured_on: str = NO_DEVICE
    sandbox: str = ""
    """What contained compilers and candidate (`Sandbox.identity`); empty where nothing was run.

    A pass was run: without a name here it is none.
    """

    @model_validator(mode="after")
    def _status_matches(self) -> "Evidence":
        if self.tier is Tier.T5:
            raise ValueError("T5 is said of evidence by whoever reproduced it, not by itself")
        on_device = self.tier is not None and self.tier >= Tier.T3
        if on_device and self.measured_on == NO_DEVICE:
            raise ValueError(f"{self.tier} needs a device")
        if self.status is Status.PASSED:
            self._require_pass()
        elif self.speedups:
            raise ValueError(f"{self.status.value} must not carry a speed-up")
        elif self.scope is not None and len(self.cases) > self.scope.executions:
            raise ValueError(f"{len(self.cases)} case records of {self.scope.executions}")
        elif not self._says_why():
            raise ValueError(f"{self.status.value}, but nothing in the record says why")
        return self

    def _says_why(self) -> bool:
        parts = (*self.cases, *self.compiles)
        return bool(self.findings) or any(p.status is not Status.PASSED for p in parts)

    def _require_pass(self) -> None:
        if self.tier is None or self.tier < Tier.T2:
            raise ValueError("PASSED needs tier T2 or above")
        if not self.sandbox.strip():
            raise ValueError("PASSED needs the name of the sandbox in which it was run")
        if self.findings:
            raise ValueError("PASSED must not carry findings")
        if not self.cases or any(c.status is not Status.PASSED for c in self.cases):
            raise ValueError("PASSED needs cases, all of them passed")
        replaced = too_few_at_their_size(self.cases)
        if replaced is not None:
            raise ValueError(f"PASSED, but {replaced}")
        if not self.controls or not all(control.rejected for control in self.controls):
            raise ValueError("PASSED needs controls, all of them rejected")
        if any(c.status is not Status.PASSED for c in self.compiles) or not self.compiles:
            raise ValueError("PASSED needs every architecture compiled")
        if self.scope is None:
            raise ValueError("PASSED needs its scope: what was to be done")
        self._require_whole(self.scope)

    def _require_whole(self, scope: Scope) -> None:
        """Hold what was done against what was to be done; counts must add up."""
        compiled = [record.architecture for record in self.compiles]
        if sorted(compiled) != sorted(scope.architectures):
            raise ValueError(f"compiled for {compiled}, not for {list(scope.architectures)}")
        if len(self.cases) != scope.executions:
            raise ValueError(f"{len(self.cases)} case records of {scope.executions} executions")
        controls = [record.name for record in self.controls]
        if sorted(controls) != sorted(scope.controls):
            raise ValueError(f"controls {controls}, not {list(scope.controls)}")
        timed = sorted((c.stands_for or c.case.name, c.wave) for c in self.cases if c.is_timed)
        if timed != sorted((case, wave) for case in scope.timing_cases for wave in (32, 64)):
            raise ValueError("PASSED needs each timing case judged once on each wave size")
        wanted = sorted((a, case) for a in scope.architectures for case in scope.timing_cases)
        estimated = sorted((e.architecture, e.case.name) for e in self.estimates)
        if estimated != wanted:
            raise ValueError(f"{len(estimated)} estimates of {len(wanted)}, or of other cases")
        if self.speedups and sorted((s.architecture, s.case.name) for s in self.speedups) != wanted:
            raise ValueError(f"{len(self.speedups)} speed-ups of {len(wanted)}, or of other cases")

    @property
    def id(self) -> str:
        """Content hash of the record; what reviews cite."""
        return "ev-" + hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def architectures_compiled(self) -> tuple[str, ...]:
        return tuple(c.architecture for c in self.compiles if c.status is Status.PASSED)
