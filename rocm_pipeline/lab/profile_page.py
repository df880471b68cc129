"""A profile as one HTML page of its own, with the heat of each source line."""

from collections.abc import Iterator, Sequence
from html import escape

from rocm_pipeline.lab.profile_lines import (
    LineFigures,
    buffer_figures,
    in_bytes,
    limit_in_words,
    line_figures,
)
from rocm_pipeline.lab.profile_run import LaunchReport, ProfileReport

_STYLE = """
body { font: 14px system-ui, sans-serif; margin: 2em; max-width: 90em; color: #222; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { padding: 1px 8px; text-align: right; font-variant-numeric: tabular-nums; }
th { border-bottom: 1px solid #999; font-weight: 600; }
td.code, th.code { text-align: left; font-family: ui-monospace, monospace; white-space: pre; }
td.number { color: #888; }
p.limit { font-weight: 600; }
"""
HEADINGS = ("transactions", "memory", "efficient", "lanes", "LDS", "atomics", "share")


def page(title: str, source: str, reports: Sequence[ProfileReport]) -> str:
    """Return the page; it loads nothing from anywhere."""
    body = "".join(part for report in reports for part in _report(source, report))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1><p>Estimated from counts on the CPU; nothing was measured on a "
        f"GPU.</p>{body}</body></html>\n"
    )


def cells(figures: LineFigures) -> tuple[str, ...]:
    """Return a line's figures under `HEADINGS`; empty where there is nothing to say."""
    return (
        f"{figures.transactions:.4g}" if figures.transactions else "",
        in_bytes(figures.memory_bytes) if figures.memory_bytes else "",
        _percent(figures.efficiency),
        _percent(figures.active),
        _times(figures.conflicts),
        _times(figures.contention),
        _percent(figures.share) if figures.transactions else "",
    )


def _report(source: str, report: ProfileReport) -> Iterator[str]:
    facts = report.facts
    yield f"<h2>{escape(facts.name)} ({escape(facts.product)})</h2>"
    for number, launch in enumerate(report.launches):
        time = launch.estimate.time
        yield f"<h3>launch {number}: {escape(launch.launch.kernel)}</h3>"
        yield (
            f"<p>{time.low:.3g} to {time.high:.3g} us, estimated; {launch.kernel.vgprs} registers, "
            f"{launch.kernel.waves_per_simd:g} waves a SIMD</p>"
        )
        yield f'<p class="limit">{escape(limit_in_words(launch, facts))}</p>'
        yield from _buffers(launch)
        yield from _listing(source, launch)


def _buffers(launch: LaunchReport) -> Iterator[str]:
    yield "<table><tr><th class=code>buffer</th><th>transactions</th><th>L2 reads</th>"
    yield "<th>L2 writes</th><th>memory</th></tr>"
    for name, counts in buffer_figures(launch).items():
        yield (
            f"<tr><td class=code>{escape(name)}</td><td>{counts.requested:.4g}</td>"
            f"<td>{counts.l2_reads:.4g}</td><td>{counts.l2_writes:.4g}</td>"
            f"<td>{in_bytes(counts.memory_bytes)}</td></tr>"
        )
    yield "</table>"


def _listing(source: str, launch: LaunchReport) -> Iterator[str]:
    found = line_figures(launch)
    headings = "".join(f"<th>{name}</th>" for name in HEADINGS)
    yield f"<table><tr><th></th><th class=code>source</th>{headings}</tr>"
    for number, text in enumerate(source.splitlines(), start=1):
        figures = found.get(number)
        heat = 0.85 * figures.share if figures else 0.0
        given = cells(figures) if figures else ("",) * len(HEADINGS)
        row = "".join(f"<td>{cell}</td>" for cell in given)
        yield (
            f'<tr style="background:rgba(255,90,0,{heat:.3f})"><td class=number>{number}</td>'
            f"<td class=code>{escape(text)}</td>{row}</tr>"
        )
    yield "</table>"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}x"
