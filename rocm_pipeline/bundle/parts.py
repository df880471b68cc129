"""Evidence taken apart into claims: each with the records behind it, and in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.bundle.claims import Kind
from rocm_pipeline.lab.evidence import (
    CaseRecord,
    CompileRecord,
    ControlRecord,
    Evidence,
    Finding,
    Status,
    Tier,
)

_LONGEST = 300


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Claim(_Frozen):
    """What is said, as the manifest lists it."""

    kind: Kind
    claim: str
    recorded: str
    about_baseline: bool = False


class Outcome(_Frozen):
    """How judging ended."""

    status: Status
    tier: Tier | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Part:
    """One claim of an evidence; two parts say the same exactly when their records are equal."""

    kind: Kind
    claim: str
    words: str
    records: tuple[BaseModel, ...]

    @property
    def key(self) -> tuple[Kind, str]:
        return self.kind, self.claim


def claims_of(evidence: Evidence, *, about_baseline: bool = False) -> tuple[Claim, ...]:
    """Return every claim that `evidence` makes."""
    return tuple(
        Claim(kind=part.kind, claim=part.claim, recorded=part.words, about_baseline=about_baseline)
        for part in parts_of(evidence)
    )


def parts_of(evidence: Evidence) -> tuple[Part, ...]:
    """Return `evidence` as parts: outcome, scope, compilations, controls, executions, times."""
    return (
        _outcome(evidence),
        *_scope(evidence),
        *map(_compilation, evidence.compiles),
        *_controls(evidence.controls),
        *_executions(evidence.cases),
        *_ranges(evidence),
    )


def short(text: str) -> str:
    """Return `text` on one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _outcome(evidence: Evidence) -> Part:
    outcome = Outcome(status=evidence.status, tier=evidence.tier, findings=evidence.findings)
    tier = "no tier" if evidence.tier is None else f"tier {evidence.tier.label}"
    first = f": {evidence.findings[0].message}" if evidence.findings else ""
    words = short(f"{evidence.status.value}, {tier}{first}")
    return Part(Kind.OUTCOME, "outcome", words, (outcome,))


def _scope(evidence: Evidence) -> Iterator[Part]:
    scope = evidence.scope
    if scope is not None:
        words = (
            f"{scope.executions} executions, {len(scope.controls)} trivial kernels, "
            f"{len(scope.timing_cases)} timing cases on {', '.join(scope.architectures)}"
        )
        yield Part(Kind.SCOPE, "what was to be done", short(words), (scope,))


def _compilation(record: CompileRecord) -> Part:
    if record.object_sha256 is None:
        words = f"{record.status.value}: {record.message}"
    else:
        kernels = (
            f"{k.name} {k.vgprs} VGPRs, {k.sgprs} SGPRs, {k.lds_bytes} bytes LDS, "
            f"{k.vgpr_spills + k.sgpr_spills} spills"
            for k in record.kernels
        )
        words = f"object {record.object_sha256[:16]}; {'; '.join(kernels)}"
    return Part(Kind.COMPILATION, f"compiled for {record.architecture}", short(words), (record,))


def _controls(controls: Sequence[ControlRecord]) -> Iterator[Part]:
    if controls:
        rejected = [control.name for control in controls if control.rejected]
        words = f"{len(rejected)} of {len(controls)} rejected: {', '.join(rejected)}"
        yield Part(Kind.CONTROLS, "trivial kernels fail", words, tuple(controls))


def _executions(cases: Sequence[CaseRecord]) -> Iterator[Part]:
    for origin in dict.fromkeys(record.origin for record in cases):
        records = tuple(record for record in cases if record.origin == origin)
        yield Part(Kind.EXECUTIONS, f"{origin} cases", executions_words(records), records)


def executions_words(records: Sequence[CaseRecord]) -> str:
    """Return how many executions passed and how close the worst came to its tolerance."""
    passed = [record for record in records if record.status is Status.PASSED]
    words = f"{len(passed)} of {len(records)} executions passed"
    if passed:
        worst = max(record.worst_ratio or 0.0 for record in passed)
        words += f", worst error {worst:.3%} of what is allowed"
    failed = next((r for r in records if r.status is not Status.PASSED), None)
    return words if failed is None else short(f"{words}; {failed.findings[0].message}")


def _ranges(evidence: Evidence) -> Iterator[Part]:
    for name in dict.fromkeys(estimate.architecture for estimate in evidence.estimates):
        found = tuple(e for e in evidence.estimates if e.architecture == name)
        spans = (f"{e.low_microseconds:.4g} to {e.high_microseconds:.4g}" for e in found)
        words = short(f"estimate, µs by timing case: {'; '.join(spans)}")
        yield Part(Kind.ESTIMATE, f"time on {name}", words, found)
    for name in dict.fromkeys(speedup.architecture for speedup in evidence.speedups):
        found = tuple(s for s in evidence.speedups if s.architecture == name)
        spans = (f"{s.low:.4g} to {s.high:.4g}" for s in found)
        words = short(f"estimate, by timing case: {'; '.join(spans)}")
        yield Part(Kind.SPEEDUP, f"speed-up on {name}", words, found)
