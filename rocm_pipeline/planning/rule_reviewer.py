"""The rule-based reviewer: judges a kernel from its evidence and its source, by fixed rules.

It stands in for a second model and for Claude where there is none, and says so by its name. Every
remark cites the evidence or a line of the source.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status, Tier
from rocm_pipeline.planning.review import Heading, Review, ReviewFinding, Verdict
from rocm_pipeline.targets.spec import Target

REVIEWER = "rules"
Severity = Literal["blocker", "major", "minor", "note"]

LOW_OCCUPANCY = 0.25
"""Below a quarter of an architecture's waves, memory latency is hard to hide."""

_WAVE_ASSUMPTIONS = (
    (re.compile(r"0x[fF]{8}\b(?!.*0x[fF]{16})"), "a 32-bit lane mask names half of a wave of 64"),
    (re.compile(r"threadIdx\.x\s*(?:%|&)\s*(?:31|32|63|64)\b"), "a literal wave size"),
    (re.compile(r"threadIdx\.x\s*(?:>>\s*[56]|/\s*(?:32|64))\b"), "a literal wave size"),
)


@dataclass(frozen=True)
class OperatorFacts:
    """What a review needs to know of the operator package."""

    status: Status
    evidence_id: str
    message: str
    could_not_run: bool = False
    """Whether PyTorch is missing, which is no fault of the operator's."""


def cross_review(target: Target, candidate: Candidate, evidence: Evidence) -> Review:
    """Check that the evidence covers the kernel, and the source for what tests cannot show."""
    findings = [
        *_subject(candidate, evidence),
        *_coverage(target, evidence),
        *_wave_assumptions(candidate),
    ]
    return _review("cross", candidate, findings, (evidence.id,))


def final_review(
    target: Target,
    candidate: Candidate,
    evidence: Evidence,
    operator: OperatorFacts,
    cross: Review,
) -> Review:
    """Judge under the four headings of a final review."""
    findings = [
        *_subject(candidate, evidence),
        *_architecture(target, evidence),
        *_integration(operator),
        *_security(evidence),
        *_upstream(target, candidate, evidence, cross),
    ]
    return _review("final", candidate, findings, (evidence.id, operator.evidence_id, cross.id))


def _review(
    kind: Literal["cross", "final"],
    candidate: Candidate,
    findings: Sequence[ReviewFinding],
    evidence_ids: tuple[str, ...],
) -> Review:
    worst = {finding.severity for finding in findings}
    verdict = Verdict.APPROVE
    if "blocker" in worst:
        verdict = Verdict.REJECT
    elif "major" in worst:
        verdict = Verdict.CHANGES
    return Review(
        subject=candidate.id,
        reviewer=REVIEWER,
        kind=kind,
        verdict=verdict,
        findings=tuple(findings),
        evidence_ids=evidence_ids,
    )


def _subject(candidate: Candidate, evidence: Evidence) -> Iterator[ReviewFinding]:
    judged = (evidence.identity.source_sha256, evidence.identity.plan_sha256)
    if judged != (candidate.source_sha256, candidate.plan_sha256):
        message = "the evidence is about another kernel"
        yield _finding(Heading.SECURITY, "blocker", message, evidence.id)


def _coverage(target: Target, evidence: Evidence) -> Iterator[ReviewFinding]:
    heading = Heading.ARCHITECTURE
    if evidence.status is not Status.PASSED:
        yield _finding(heading, "blocker", f"the harness says {evidence.status.value}", evidence.id)
        return
    if not any(record.origin == "held out" for record in evidence.cases):
        yield _finding(heading, "blocker", "no held-out case was run", evidence.id)
    for variant in target.kernel_variants():
        listed = {n: v for n, v in variant.symbols.items() if target.symbols[n].choices}
        if not any(
            record.case.dtypes == variant.dtypes and listed.items() <= record.case.symbols.items()
            for record in evidence.cases
        ):
            yield _finding(heading, "major", f"no case covers {variant.name}", evidence.id)
    for wave in (32, 64):
        if not any(record.wave == wave for record in evidence.cases):
            yield _finding(heading, "blocker", f"nothing was run with waves of {wave}", evidence.id)


def _wave_assumptions(candidate: Candidate) -> Iterator[ReviewFinding]:
    for number, line in enumerate(candidate.source.splitlines(), start=1):
        code = line.split("//")[0]
        for pattern, why in _WAVE_ASSUMPTIONS:
            if pattern.search(code):
                yield _finding(Heading.UPSTREAM, "minor", why, f"kernel.hip:{number}")


def _architecture(target: Target, evidence: Evidence) -> Iterator[ReviewFinding]:
    heading = Heading.ARCHITECTURE
    if evidence.status is not Status.PASSED:
        yield _finding(heading, "blocker", f"the harness says {evidence.status.value}", evidence.id)
    if evidence.tier is None or evidence.tier < Tier.T2:
        yield _finding(heading, "blocker", "the kernel did not reach tier T2", evidence.id)
    missing = set(target.architectures) - set(evidence.architectures_compiled)
    for name in sorted(missing):
        yield _finding(heading, "blocker", f"not compiled for {name}", evidence.id)
    for record in evidence.compiles:
        spilled = [k.name for k in record.kernels if k.vgpr_spills or k.scratch_bytes]
        if spilled:
            message = f"{record.architecture}: {', '.join(spilled)} use scratch memory"
            yield _finding(heading, "minor", message, evidence.id)
        thin = [k.name for k in record.kernels if k.occupancy < LOW_OCCUPANCY]
        if thin:
            message = f"{record.architecture}: few resident waves in {', '.join(thin)}"
            yield _finding(heading, "note", message, evidence.id)


def _integration(operator: OperatorFacts) -> Iterator[ReviewFinding]:
    if operator.status is Status.PASSED:
        return
    yield _finding(
        Heading.INTEGRATION,
        "note" if operator.could_not_run else "blocker",
        f"operator {operator.status.value}: {operator.message}",
        operator.evidence_id,
    )


def _security(evidence: Evidence) -> Iterator[ReviewFinding]:
    heading = Heading.SECURITY
    for finding in evidence.findings:
        if finding.status in (Status.POLICY_VIOLATION, Status.CHEAT):
            yield _finding(heading, "blocker", finding.message, evidence.id)
    if not evidence.controls or not all(control.rejected for control in evidence.controls):
        yield _finding(heading, "blocker", "trivial kernels were not all rejected", evidence.id)


def _upstream(
    target: Target, candidate: Candidate, evidence: Evidence, cross: Review
) -> Iterator[ReviewFinding]:
    heading = Heading.UPSTREAM
    if cross.subject != candidate.id:
        yield _finding(heading, "blocker", "the cross review is about another kernel", cross.id)
    elif cross.kind != "cross" or evidence.id not in cross.evidence_ids:
        yield _finding(heading, "blocker", "the cross review is about other evidence", cross.id)
    elif cross.verdict is not Verdict.APPROVE:
        severity: Severity = "blocker" if cross.verdict is Verdict.REJECT else "major"
        message = f"the cross review says {cross.verdict.value}"
        yield _finding(heading, severity, message, cross.id)
    for speedup in evidence.speedups:
        if speedup.high < 1:
            message = f"estimated slower than the baseline on {speedup.architecture}"
            yield _finding(heading, "major", message, evidence.id)
    unsure = dict.fromkeys(s.architecture for s in evidence.speedups if s.low < 1 <= s.high)
    if unsure:
        message = f"the estimate does not exclude a slowdown on {', '.join(unsure)}"
        yield _finding(heading, "minor", message, evidence.id)
    if not evidence.speedups and candidate.source != target.baseline.source:
        yield _finding(heading, "note", "no estimate of the speed-up", evidence.id)


def _finding(heading: Heading, severity: Severity, message: str, cites: str) -> ReviewFinding:
    return ReviewFinding(heading=heading, severity=severity, message=message, cites=cites)
