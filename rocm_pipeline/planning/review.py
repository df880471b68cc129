"""A verdict on a kernel by a second agent, by rules or by Claude; it cites evidence."""

import hashlib
from enum import Enum
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator


class Verdict(str, Enum):
    APPROVE = "approve"
    CHANGES = "changes"
    REJECT = "reject"


class Heading(str, Enum):
    """The four questions of a final review."""

    ARCHITECTURE = "architectural consistency"
    INTEGRATION = "integration requirements"
    SECURITY = "security considerations"
    UPSTREAM = "upstream compatibility"


class ReviewFinding(BaseModel):
    """One remark. `cites` names an evidence id or a source line as `file:line`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    heading: Heading
    severity: Literal["blocker", "major", "minor", "note"]
    message: str
    cites: str


class Review(BaseModel):
    """A verdict with its findings; a rejection needs a blocker, an approval must hold none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    """Id of the kernel."""
    reviewer: str
    """Who judged: `rules` for the deterministic reviewer, or `rules and <model>`."""
    kind: Literal["cross", "final"]
    verdict: Verdict
    findings: tuple[ReviewFinding, ...]
    evidence_ids: tuple[str, ...]
    unasked: str = ""
    """Why no model judged, where one was to: rules did it alone."""

    @model_validator(mode="after")
    def _consistent(self) -> "Review":
        blockers = [f for f in self.findings if f.severity == "blocker"]
        if self.verdict is Verdict.APPROVE and blockers:
            raise ValueError("an approval cannot hold a blocker")
        if self.verdict is Verdict.REJECT and not blockers:
            raise ValueError("a rejection needs a blocker")
        if self.verdict is Verdict.APPROVE and not self.evidence_ids:
            raise ValueError("an approval needs evidence")
        return self

    @property
    def id(self) -> str:
        return "review-" + hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]
