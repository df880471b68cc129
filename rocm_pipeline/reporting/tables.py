"""Markdown tables rendered from evidence: the only way a figure enters a document."""

from collections.abc import Iterable, Sequence

from rocm_pipeline.agents.examples import Examples
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.lab.evidence import Evidence, Speedup, Status, Tier
from rocm_pipeline.lab.ranking import mean_speedup

ESTIMATE = "estimate"
TIERS = {
    Tier.T0: "parsed",
    Tier.T1: "compiled",
    Tier.T2: "right on the CPU emulator",
    Tier.T3: "ran on a device",
    Tier.T4: "timed on a device",
    Tier.T5: "reproduced from a clean workspace",
}


def tier_words(evidence: Evidence, reproduction: Reproduction | None = None) -> str:
    """Return the tier with its meaning, as it is shown beside every candidate.

    T5 is said of the tier that was reached, never instead of it: what lies between is not reached.
    """
    if evidence.tier is None:
        return "no tier (not parsed)"
    words = f"{evidence.tier.label} ({TIERS[evidence.tier]})"
    if not is_reproduced(evidence, reproduction):
        return words
    missing = [tier.label for tier in (Tier.T3, Tier.T4) if tier > evidence.tier]
    rest = f"; not reached: {', '.join(missing)}" if missing else ""
    return f"{words}, {TIERS[Tier.T5]} (T5 of {evidence.tier.label}){rest}"


def tier_label(evidence: Evidence, reproduction: Reproduction | None = None) -> str:
    """Return the tier in a word or two, for tables."""
    if evidence.tier is None:
        return "none"
    label = evidence.tier.label
    return f"{label}, reproduced" if is_reproduced(evidence, reproduction) else label


def is_reproduced(evidence: Evidence, reproduction: Reproduction | None) -> bool:
    """Say whether `reproduction` is of this very evidence, and reached T5."""
    return reproduction is not None and reproduction.evidence == evidence.id and reproduction.is_t5


def reproduction_words(reproduction: Reproduction) -> str:
    """Return what the pipeline's own check came to, and what it left to others."""
    kinds = dict.fromkeys(row.kind.value for row in reproduction.unchecked)
    left = f" (not checked: {', '.join(kinds)})" if kinds else ""
    return f"{reproduction.words}{left}"


def reproduction_table(reproduction: Reproduction) -> str:
    """Every claim of the bundle with the verdict on it."""
    rows = [
        (
            f"baseline: {row.claim}" if row.about_baseline else row.claim,
            row.recorded,
            row.found,
            f"{row.verdict.value}: {row.reason}" if row.reason else row.verdict.value,
        )
        for row in reproduction.rows
    ]
    return markdown_table(("claim", "recorded", "found in a clean workspace", "verdict"), rows)


def range_words(low: float, high: float) -> str:
    """Return a range of speed-ups with the digits that an estimate can bear."""
    words = span_words(low, high)
    return "no difference" if words == _short(1) else words


def span_words(low: float, high: float) -> str:
    """Return a range of any quantity; one value where both ends read alike."""
    ends = dict.fromkeys((_short(low), _short(high)))
    return " to ".join(ends)


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
    for origin in ("public", "held out", "agent", "repeat", "large", "timed"):
        cases = [record for record in evidence.cases if record.origin == origin]
        if not cases:
            continue
        passed = [record for record in cases if record.status is Status.PASSED]
        ratios = [r.worst_ratio for r in passed if r.worst_ratio is not None]
        worst = f"{max(ratios):.1%}" if ratios else "none"
        rows.append((f"{origin} cases", f"{len(passed)} of {len(cases)} passed", worst))
    rejected = sum(control.rejected for control in evidence.controls)
    if evidence.controls:
        rows.append(("trivial kernels", f"{rejected} of {len(evidence.controls)} rejected", ""))
    if not rows:
        return "Nothing was run."
    return markdown_table(("check", "result", "worst error, of what is allowed"), rows)


def examples_table(examples: Examples | None) -> str:
    """Every block of code in the documentation, and what came of running or compiling it."""
    if examples is None or not examples.blocks:
        return "No code of the documentation was run or compiled."
    rows = [
        (str(block.line), block.language or "none", block.status.value, block.message)
        for block in examples.blocks
    ]
    return markdown_table(("line", "language", "status", "message"), rows)


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
