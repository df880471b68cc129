"""Markdown tables rendered from evidence: the only way a figure enters a document."""

from collections.abc import Iterable, Sequence
from statistics import geometric_mean

from rocm_pipeline.lab.evidence import Evidence, Speedup, Status, Tier

ESTIMATE = "estimate"
TIERS = {
    Tier.T0: "parsed",
    Tier.T1: "compiled",
    Tier.T2: "right on the CPU emulator",
    Tier.T3: "ran on a device",
    Tier.T4: "timed on a device",
    Tier.T5: "reproduced from a clean workspace",
}


def tier_words(evidence: Evidence) -> str:
    """Return the tier with its meaning, as it is shown beside every candidate."""
    if evidence.tier is None:
        return "no tier (not parsed)"
    return f"{evidence.tier.label} ({TIERS[evidence.tier]})"


def range_words(low: float, high: float) -> str:
    """Return a range of speed-ups with the digits that an estimate can bear."""
    words = span_words(low, high)
    return "no difference" if words == _short(1) else words


def span_words(low: float, high: float) -> str:
    """Return a range of any quantity; one value where both ends read alike."""
    ends = dict.fromkeys((_short(low), _short(high)))
    return " to ".join(ends)


def mean_speedup(evidence: Evidence) -> tuple[float, float] | None:
    """Return the geometric means of low and of high ends, over architectures and cases."""
    if not evidence.speedups:
        return None
    lows = geometric_mean(s.low for s in evidence.speedups)
    highs = geometric_mean(s.high for s in evidence.speedups)
    return lows, highs


def mean_speedup_words(evidence: Evidence | None) -> str:
    """Return the mean speed-up as a range, or nothing where there is no estimate."""
    mean = mean_speedup(evidence) if evidence else None
    return range_words(*mean) if mean else ""


def speedup_table(evidence: Evidence) -> str:
    """Speed-up over the baseline for each architecture and timing case, labelled estimate."""
    if not evidence.speedups:
        return "There is no estimate of a speed-up."
    rows = [
        (s.architecture, _case(s), range_words(s.low, s.high), ESTIMATE) for s in evidence.speedups
    ]
    return markdown_table(("architecture", "case", "speed-up over the baseline", "kind"), rows)


def resources_table(evidence: Evidence) -> str:
    """Registers, LDS, spills and occupancy of every kernel on every architecture."""
    rows = [
        (
            record.architecture,
            kernel.name,
            str(kernel.vgprs),
            str(kernel.sgprs),
            str(kernel.lds_bytes),
            str(kernel.vgpr_spills + kernel.sgpr_spills),
            str(kernel.scratch_bytes),
            f"{kernel.occupancy:.0%}",
            kernel.limited_by,
        )
        for record in evidence.compiles
        for kernel in record.kernels
    ]
    if not rows:
        return "Nothing was compiled."
    header = ("architecture", "kernel", "VGPRs", "SGPRs", "static LDS bytes", "spills")
    return markdown_table((*header, "scratch bytes", "occupancy", "limited by"), rows)


def correctness_table(evidence: Evidence) -> str:
    """Cases by origin with their worst error, and the controls."""
    rows: list[tuple[str, ...]] = []
    for origin in ("public", "held out", "agent"):
        cases = [record for record in evidence.cases if record.origin == origin]
        if not cases:
            continue
        passed = [record for record in cases if record.status is Status.PASSED]
        worst = max((r.worst_ratio or 0.0 for r in passed), default=0.0)
        rows.append((f"{origin} cases", f"{len(passed)} of {len(cases)} passed", f"{worst:.1%}"))
    rejected = sum(control.rejected for control in evidence.controls)
    if evidence.controls:
        rows.append(("trivial kernels", f"{rejected} of {len(evidence.controls)} rejected", ""))
    if not rows:
        return "Nothing was run."
    return markdown_table(("check", "result", "worst error, of what is allowed"), rows)


def limits(evidence: Evidence) -> str:
    """What was not verified, in words."""
    lines = [f"Measured on {evidence.measured_on}."]
    if evidence.tier is None or evidence.tier < Tier.T3:
        lines.append("It was not run on a GPU; every time is an estimate from a model.")
    spilling = [
        record.architecture
        for record in evidence.compiles
        if any(k.vgpr_spills or k.scratch_bytes for k in record.kernels)
    ]
    if spilling:
        lines.append(f"It uses scratch memory on {', '.join(spilling)}.")
    return "\n".join(f"- {line}" for line in lines)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; bars in cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def _case(speedup: Speedup) -> str:
    return speedup.case.name
