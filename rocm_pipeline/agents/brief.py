"""The Brief: everything a prompt is made from."""

import re
from collections.abc import Iterable
from statistics import geometric_mean
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import (
    CaseRecord,
    CompileRecord,
    Evidence,
    Finding,
    KernelResources,
    Status,
)
from rocm_pipeline.lab.ranking import mean_speedup
from rocm_pipeline.planning.plan import Task
from rocm_pipeline.redaction.cutting import cut
from rocm_pipeline.targets.spec import Target

MAX_FINDINGS = 12
MAX_FAILED_CASES = 6
MAX_MESSAGE = 1500
"""Characters of one compiler message or finding; the first errors are the ones to mend."""
_COUNT = re.compile(r"\n*\d+ (?:warnings?|errors?)[^\n]* generated[^\n]*\.\s*$")
"""Clang's last line. It names the architecture, so that equal errors were told once for each: six
times, and again as findings, made a prompt of 5,000 tokens one of 12,800, which a host without a
card did not read within its 300 s."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CompileSummary(_Frozen):
    """One architecture: did it compile, what do the kernels take there."""

    architecture: str
    status: Status
    message: str
    kernels: tuple[KernelResources, ...]


class FailedCase(_Frozen):
    """A case that did not pass; `worst_ratio` is the error over what the tolerance allows."""

    case: str
    wave: int
    status: Status
    worst_ratio: float | None
    max_absolute_error: float | None


class EstimateSummary(_Frozen):
    """Estimated, never measured: geometric means over the timing cases of one architecture."""

    architecture: str
    low_microseconds: float
    high_microseconds: float
    bottlenecks: tuple[str, ...]
    """Without repeats, in the order of the cases."""
    speedup_low: float | None
    speedup_high: float | None


class EvidenceSummary(_Frozen):
    """What an agent is told about one candidate."""

    evidence_id: str
    tier: str | None
    status: Status
    cases_run: int
    """Cases that were executed: those that passed, and those in which something was wrong."""
    cases_passed: int
    cases_not_run: int = 0
    """The rest; with `cases_run` they are all that the record holds."""
    findings: tuple[Finding, ...]
    failed_cases: tuple[FailedCase, ...]
    compiles: tuple[CompileSummary, ...]
    estimates: tuple[EstimateSummary, ...]

    @classmethod
    def of(cls, evidence: Evidence) -> "EvidenceSummary":
        """Shorten the record: no seeds, no repeats, no more findings than an agent can act on."""
        failed = [case for case in evidence.cases if case.status is not Status.PASSED]
        not_run = sum(case.status is Status.NOT_RUN for case in evidence.cases)
        return cls(
            evidence_id=evidence.id,
            tier=evidence.tier.label if evidence.tier is not None else None,
            status=evidence.status,
            cases_run=len(evidence.cases) - not_run,
            cases_not_run=not_run,
            cases_passed=len(evidence.cases) - len(failed),
            findings=_findings(evidence, failed),
            failed_cases=tuple(_failed_case(case) for case in failed[:MAX_FAILED_CASES]),
            compiles=_compiles(evidence.compiles),
            estimates=_estimates(evidence),
        )


class RoundFeedback(_Frozen):
    """One earlier round of the same task: what was sent and what the harness found.

    A reply that could not be read or used has no candidate; `reply_error` says what was wrong, and
    may hold the agent's own words, so it is cut like them.
    """

    round: int = Field(ge=1)
    candidate: Candidate | None = None
    evidence: EvidenceSummary | None = None
    reply_error: Annotated[str, AfterValidator(lambda text: _shorten(text))] | None = None


class Brief(_Frozen):
    """What one agent is told.

    `kernel` is the chosen kernel, for the roles that work from one; for a kernel developer it is
    the kernel that a review asks to change.
    """

    target: Target
    task: Task
    files: dict[str, str] = Field(default_factory=dict)
    """Text of repository files, by path."""
    feedback: tuple[RoundFeedback, ...] = ()
    best: Candidate | None = None
    """The best kernel that passed so far, as the harness ranks them."""
    hint: str = ""
    """Advice for a task whose rounds keep failing."""
    kernel: Candidate | None = None
    evidence: EvidenceSummary | None = None
    """About `kernel`."""


def _findings(evidence: Evidence, failed: Iterable[CaseRecord]) -> tuple[Finding, ...]:
    """Return what is not told under the compiles already."""
    told = {f"{record.architecture}: {record.message}" for record in evidence.compiles}
    own = [finding for finding in evidence.findings if finding.message not in told]
    seen: dict[tuple[str, int | None, str | None], Finding] = {}
    for finding in (*own, *(finding for case in failed for finding in case.findings)):
        short = finding.model_copy(update={"message": _shorten(finding.message)})
        seen.setdefault((short.message, short.line, short.kernel), short)
    return tuple(seen.values())[:MAX_FINDINGS]


def _failed_case(record: CaseRecord) -> FailedCase:
    return FailedCase(
        case=record.case.name,
        wave=record.wave,
        status=record.status,
        worst_ratio=_rounded(record.worst_ratio),
        max_absolute_error=_rounded(record.max_absolute_error),
    )


def _compiles(records: Iterable[CompileRecord]) -> tuple[CompileSummary, ...]:
    first_with: dict[str, str] = {}
    summaries: list[CompileSummary] = []
    for record in records:
        message = _message(record)
        first = first_with.setdefault(message, record.architecture)
        if message and first != record.architecture:
            message = f"as for {first}"
        summaries.append(
            CompileSummary(
                architecture=record.architecture,
                status=record.status,
                message=message,
                kernels=record.kernels,
            )
        )
    return tuple(summaries)


def _message(record: CompileRecord) -> str:
    """Return what stopped a build, or of the notes about one that passed the first line."""
    if record.status is Status.PASSED:
        return _shorten(record.message.partition("\n")[0])
    return _shorten(_COUNT.sub("", record.message))


def _estimates(evidence: Evidence) -> tuple[EstimateSummary, ...]:
    summaries: list[EstimateSummary] = []
    for architecture in dict.fromkeys(e.architecture for e in evidence.estimates):
        estimates = [e for e in evidence.estimates if e.architecture == architecture]
        low, high = mean_speedup(evidence, architecture) or (None, None)
        summaries.append(
            EstimateSummary(
                architecture=architecture,
                low_microseconds=_mean(e.low_microseconds for e in estimates),
                high_microseconds=_mean(e.high_microseconds for e in estimates),
                bottlenecks=tuple(dict.fromkeys(e.bottleneck for e in estimates)),
                speedup_low=_rounded(low),
                speedup_high=_rounded(high),
            )
        )
    return tuple(summaries)


def _mean(values: Iterable[float]) -> float:
    return float(f"{geometric_mean(values):.4g}")


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _shorten(message: str) -> str:
    if len(message) <= MAX_MESSAGE:
        return message
    left_out = f" [... {len(message) - MAX_MESSAGE} more characters]"
    return cut(message, MAX_MESSAGE, "") + left_out
