"""Markdown for the UI: what a stage made, as tables of short facts.

Text that an agent wrote is put in cells as data: one line, no table or code syntax of its own.
"""

from collections.abc import Iterable, Sequence

import dagster as dg

from rocm_pipeline.agents.outcome import CandidateSet, KernelRound
from rocm_pipeline.integration.evidence import OperatorEvidence
from rocm_pipeline.lab.benchmark import Benchmark
from rocm_pipeline.lab.evidence import Estimate, Evidence, Speedup
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.planning.review import Review
from rocm_pipeline.reporting.tables import markdown_table, range_words, span_words

_LONGEST_CELL = 160


def cell(value: object, longest: int = _LONGEST_CELL) -> str:
    """Return `value` on one line and without what would end the cell."""
    text = " ".join(str(value).split()).replace("`", "'")
    return text if len(text) <= longest else text[: longest - 1] + "…"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """Return a Markdown table with one line for each row."""
    return dg.MetadataValue.md(markdown_table(header, [[cell(c) for c in row] for row in rows]))


def source(text: str, language: str = "cpp") -> dg.MarkdownMetadataValue:
    """Return a source file as a fenced block that its own backticks cannot end."""
    fence = "`" * max(3, _longest_run(text, "`") + 1)
    return dg.MetadataValue.md(f"{fence}{language}\n{text}\n{fence}")


def plan_table(plan: Plan) -> dg.MarkdownMetadataValue:
    return table(
        ("task", "agent", "type", "priority", "hours", "after"),
        (
            (
                task.id,
                task.agent_id,
                task.task_type.value,
                task.priority.value,
                task.estimated_hours,
                ", ".join(task.depends_on),
            )
            for task in plan.tasks
        ),
    )


def candidates_table(candidates: CandidateSet) -> dg.MarkdownMetadataValue:
    baseline = candidates.baseline_evidence
    rows: list[tuple[object, ...]] = [
        ("baseline", "", candidates.baseline.id, *_verdict(baseline), "1 (by definition)")
    ]
    for outcome in candidates.outcomes:
        rows += [
            (
                f"{outcome.task_id}, round {found.exchange.round}",
                found.exchange.model,
                found.candidate.id if found.candidate else "",
                *(_verdict(found.evidence) if found.evidence else ("", "", found.refused)),
                speedup_text(found.evidence.speedups) if found.evidence else "",
            )
            for found in outcome.rounds
        ]
    return table(
        ("from", "model", "kernel", "tier", "status", "first finding", "speed-up (estimate)"), rows
    )


def benchmark_table(benchmark: Benchmark) -> dg.MarkdownMetadataValue:
    baseline = {(e.architecture, e.case.name): e for e in benchmark.baseline_estimates}
    ratio = {(s.architecture, s.case.name): s for s in benchmark.speedups}
    rows = [
        (
            found.architecture,
            found.case.name,
            _range(baseline.get((found.architecture, found.case.name))),
            _range(found),
            _factor(ratio.get((found.architecture, found.case.name))),
            found.bottleneck,
        )
        for found in benchmark.candidate_estimates
    ]
    header = ("architecture", "case", "baseline µs (estimate)", "kernel µs (estimate)")
    return table((*header, "speed-up (estimate)", "bottleneck"), rows)


def operator_table(evidence: OperatorEvidence) -> dg.MarkdownMetadataValue:
    return table(
        ("check", "status", "worst error over allowed", "message"),
        (
            (
                record.check.value,
                record.status.value,
                "" if record.worst_ratio is None else f"{record.worst_ratio:.3g}",
                record.message,
            )
            for record in evidence.checks
        ),
    )


def review_table(review: Review) -> dg.MarkdownMetadataValue:
    return table(
        ("heading", "severity", "remark", "cites"),
        ((f.heading.value, f.severity, f.message, f.cites) for f in review.findings),
    )


def round_verdict(found: KernelRound) -> str:
    """Return the harness's word on one round, on a line."""
    if found.evidence is None:
        return cell(f"refused: {found.refused}")
    tier, status, finding = _verdict(found.evidence)
    return cell(" ".join(part for part in (tier, status, finding) if part))


def speedup_text(speedups: Sequence[Speedup]) -> str:
    """Return the whole range over architectures and cases, or nothing without estimates."""
    if not speedups:
        return ""
    return range_words(min(s.low for s in speedups), max(s.high for s in speedups))


def _verdict(evidence: Evidence) -> tuple[str, str, str]:
    tier = "" if evidence.tier is None else evidence.tier.label
    finding = evidence.findings[0].message if evidence.findings else ""
    return tier, evidence.status.value, finding


def _range(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    return span_words(estimate.low_microseconds, estimate.high_microseconds)


def _factor(speedup: Speedup | None) -> str:
    return "" if speedup is None else range_words(speedup.low, speedup.high)


def _longest_run(text: str, character: str) -> int:
    longest = run = 0
    for one in text:
        run = run + 1 if one == character else 0
        longest = max(longest, run)
    return longest
