"""What a bundle claims, and what was found of it here.

Absent, unchecked and reproduced are different states: a row cannot say "reproduced" without what
was found, nor "cannot be checked here" without a reason.
"""

import hashlib
from enum import Enum

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rocm_pipeline.bundle.environment import Environment
from rocm_pipeline.lab.evidence import Status, Tier


class Verdict(str, Enum):
    """The closed list of what can be said of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    UNCHECKED = "cannot be checked here"


class Kind(str, Enum):
    """What a claim is about."""

    FILES = "files"
    SOURCE = "source"
    TARGET = "target"
    HARNESS = "harness"
    TOOLCHAIN = "toolchain"
    DEVICE = "device"
    SANDBOX = "sandbox"
    SCOPE = "scope"
    OUTCOME = "outcome"
    COMPILATION = "compilation"
    CONTROLS = "controls"
    EXECUTIONS = "executions"
    FAILING = "failing cases"
    FRESH = "fresh cases"
    ESTIMATE = "estimate"
    SPEEDUP = "speed-up"
    OPERATOR = "operator"
    PROVENANCE = "provenance"


CORRECTNESS = (
    Kind.FILES,
    Kind.SOURCE,
    Kind.TARGET,
    Kind.HARNESS,
    Kind.TOOLCHAIN,
    Kind.OUTCOME,
    Kind.COMPILATION,
    Kind.CONTROLS,
    Kind.EXECUTIONS,
)
"""What T2 stands on: T5 of T2 needs every claim of these kinds about the kernel reproduced."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(_Frozen):
    """One claim with the verdict on it. `found` is what was seen here, in the same words."""

    kind: Kind
    claim: str = Field(min_length=1)
    recorded: str = Field(min_length=1)
    found: str = ""
    verdict: Verdict
    reason: str = ""
    about_baseline: bool = False

    @model_validator(mode="after")
    def _verdict_has_its_grounds(self) -> "Row":
        if self.verdict is not Verdict.UNCHECKED and not self.found:
            raise ValueError(f"'{self.verdict.value}' needs what was found")
        if self.verdict is Verdict.UNCHECKED and not self.reason:
            raise ValueError("'cannot be checked here' needs a reason")
        return self


class Reproduction(_Frozen):
    """What came of checking one bundle on one machine."""

    target: str
    candidate: str
    evidence: str
    """Id of the evidence whose claims were checked."""
    status: Status
    tier: Tier | None
    """What that evidence says of the kernel."""
    bundle_sha256: str
    """Hash of the bundle's SHA256SUMS."""
    here: Environment
    rows: tuple[Row, ...] = Field(min_length=1)

    @property
    def id(self) -> str:
        return "repro-" + hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def broken(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.verdict is Verdict.NOT_REPRODUCED)

    @property
    def unchecked(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.verdict is Verdict.UNCHECKED)

    @property
    def reproduced(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.verdict is Verdict.REPRODUCED)

    @property
    def holds(self) -> bool:
        """Nothing was refuted, and the outcome itself was seen again: unchecked is not enough."""
        seen = any(row.kind is Kind.OUTCOME and not row.about_baseline for row in self.reproduced)
        return seen and not self.broken

    @property
    def is_t5(self) -> bool:
        """A pass, with every claim that its correctness stands on seen again, and none refuted."""
        needed = [r for r in self.rows if r.kind in CORRECTNESS and not r.about_baseline]
        return (
            self.status is Status.PASSED
            and self.holds
            and {row.kind for row in needed} == set(CORRECTNESS)
            and all(row.verdict is Verdict.REPRODUCED for row in needed)
        )

    @property
    def words(self) -> str:
        """The whole on one line."""
        counts = (
            f"{len(self.reproduced)} claims reproduced, {len(self.broken)} not, "
            f"{len(self.unchecked)} not checked"
        )
        first = next(iter(self.broken), None)
        if first is None:
            return counts
        return f"{counts}; {first.claim}: recorded {first.recorded}, found {first.found}"
