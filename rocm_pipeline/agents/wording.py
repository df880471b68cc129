"""Evidence in words that an agent can act on."""

from collections.abc import Iterator

from rocm_pipeline.agents.brief import EvidenceSummary, RoundFeedback
from rocm_pipeline.lab.evidence import Finding, Status


def describe_round(feedback: RoundFeedback, resources: bool) -> str:
    """Return what came of one earlier round, with or without registers and LDS."""
    if feedback.evidence is None:
        reason = feedback.reply_error or "the candidate was not judged"
        return f"Round {feedback.round} was not taken: {reason}"
    name = f" ({feedback.candidate.id})" if feedback.candidate else ""
    return f"Round {feedback.round}{name}: {describe_evidence(feedback.evidence, resources)}"


def describe_evidence(summary: EvidenceSummary, resources: bool) -> str:
    """Return the record as a short text: verdict, compile, cases, findings, resources, estimate."""
    parts = (_verdict(summary), _resources(summary) if resources else (), _estimates(summary))
    return "\n".join(line for part in parts for line in part)


def describe_finding(finding: Finding) -> str:
    """Return one finding on one line."""
    where = ", ".join(
        text
        for text in (
            f"line {finding.line}" if finding.line is not None else "",
            f"kernel {finding.kernel}" if finding.kernel else "",
            f"block {finding.block}" if finding.block else "",
            f"work-item {finding.thread}" if finding.thread else "",
            f"buffer {finding.buffer}" if finding.buffer else "",
        )
        if text
    )
    return f"{finding.status.value}{f' at {where}' if where else ''}: {finding.message}"


def _verdict(summary: EvidenceSummary) -> Iterator[str]:
    yield f"{summary.status.value}, tier {summary.tier or 'none'}."
    if summary.compiles:
        passed = sum(c.status is Status.PASSED for c in summary.compiles)
        yield f"Compiled for {passed} of {len(summary.compiles)} architectures."
    for compile_ in summary.compiles:
        if compile_.status is not Status.PASSED:
            yield f"- {compile_.architecture}: {compile_.status.value}: {compile_.message}"
    if summary.cases_run or summary.cases_not_run:
        left = f"; {summary.cases_not_run} more were not run" if summary.cases_not_run else ""
        yield f"Passed {summary.cases_passed} of {summary.cases_run} runs on the emulator{left}."
    for case in summary.failed_cases:
        ratio = "" if case.worst_ratio is None else f", error {case.worst_ratio:g} x the tolerance"
        yield f"- case {case.case}, wave {case.wave}: {case.status.value}{ratio}"
    for finding in summary.findings:
        yield f"- {describe_finding(finding)}"


def _estimates(summary: EvidenceSummary) -> Iterator[str]:
    for estimate in summary.estimates:
        speedup = (
            f", speed-up over the baseline {estimate.speedup_low:g} to {estimate.speedup_high:g}"
            if estimate.speedup_low is not None and estimate.speedup_high is not None
            else ""
        )
        yield (
            f"- estimated on {estimate.architecture}: {estimate.low_microseconds:g} to "
            f"{estimate.high_microseconds:g} microseconds, held back by "
            f"{', '.join(estimate.bottlenecks)}{speedup}"
        )


def _resources(summary: EvidenceSummary) -> Iterator[str]:
    for compile_ in summary.compiles:
        for kernel in compile_.kernels:
            spills = kernel.vgpr_spills + kernel.sgpr_spills
            spilled = f", {spills} registers spilled to scratch" if spills else ""
            yield (
                f"- {compile_.architecture} {kernel.name}: {kernel.vgprs} VGPRs, "
                f"{kernel.lds_bytes} B static LDS, occupancy {kernel.occupancy:.2f} "
                f"limited by {kernel.limited_by}{spilled}"
            )
