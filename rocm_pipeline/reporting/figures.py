"""Figures of estimated speed-ups: a range on a row, on a logarithmic axis around the baseline."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rocm_pipeline.agents.outcome import CandidateSet, ChosenKernel
from rocm_pipeline.lab.evidence import Speedup, Status
from rocm_pipeline.lab.ranking import mean_speedup
from rocm_pipeline.reporting import tables

_COLOURS = {
    "faster at both ends": "#1b7f5c",
    "may be faster or not": "#8a94a3",
    "slower at both ends": "#b3402e",
}
_ROW, _TITLE, _FRAME = 30, 46, 90
"""Heights in pixels: of a row, of a panel's title, and of all that is around the panels."""
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class Row:
    """One range: times faster than the baseline, low to high."""

    label: str
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """Rows that belong together, under a title."""

    title: str
    rows: tuple[Row, ...]


def speedup_figure(kernel: ChosenKernel) -> go.Figure | None:
    """Return the estimate for each case and architecture; None where there is none."""
    by_case: dict[str, list[Speedup]] = {}
    for speedup in kernel.evidence.speedups:
        by_case.setdefault(speedup.case.name, []).append(speedup)
    panels = [
        Panel(name.replace(",", ", "), tuple(Row(s.architecture, s.low, s.high) for s in found))
        for name, found in by_case.items()
    ]
    return _figure(panels) if panels else None


def progress_figure(candidates: CandidateSet) -> go.Figure | None:
    """Return the mean estimate of each candidate that passed, by task; None where none did."""
    panels = [
        Panel(outcome.task_id, rows)
        for outcome in candidates.outcomes
        if (
            rows := tuple(
                Row(f"round {found.exchange.round}", *mean)
                for found in outcome.rounds
                if found.evidence
                and found.evidence.status is Status.PASSED
                and (mean := mean_speedup(found.evidence))
            )
        )
    ]
    return _figure(panels) if panels else None


def _figure(panels: Sequence[Panel]) -> go.Figure:
    figure = make_subplots(
        rows=len(panels),
        shared_xaxes=True,
        subplot_titles=[panel.title for panel in panels],
        row_heights=[len(panel.rows) for panel in panels],
        vertical_spacing=_TITLE / _height(panels),
    )
    named: set[str] = set()
    for number, panel in enumerate(panels, start=1):
        for verdict in dict.fromkeys(_verdict(row) for row in panel.rows):
            rows = [row for row in panel.rows if _verdict(row) == verdict]
            trace = _ranges(verdict, rows, in_legend=verdict not in named)
            figure.add_trace(trace, row=number, col=1)
            named.add(verdict)
        labels = [row.label for row in panel.rows]
        figure.update_yaxes(
            categoryorder="array",
            categoryarray=labels,
            range=[len(labels) - 0.5, -0.5],
            row=number,
            col=1,
        )
    figure.add_vline(x=1, line_dash="dot", line_color="#1c2430", line_width=1.5)
    figure.update_annotations(x=0, xanchor="left", font_size=13)
    figure.update_xaxes(type="log", tickvals=_TICKS, range=_span(panels), gridcolor="#e6eaef")
    figure.update_xaxes(
        title="times as fast as the baseline (dotted line), estimate; logarithmic", row=len(panels)
    )
    figure.update_layout(
        template="plotly_white",
        height=_height(panels),
        margin={"l": 90, "r": 30, "t": 64, "b": 60},
        legend={"orientation": "h", "x": 0, "yref": "container", "y": 1, "yanchor": "top"},
    )
    return figure


def _ranges(verdict: str, rows: Sequence[Row], *, in_legend: bool) -> go.Scatter:
    """Return a thick line for each range, with its figures to the right of it."""
    x: list[float | None] = []
    y: list[str | None] = []
    text: list[str] = []
    for row in rows:
        x += [row.low, row.high, None]
        y += [row.label, row.label, None]
        text += ["", f"  {tables.range_words(row.low, row.high)}", ""]
    return go.Scatter(
        name=verdict,
        legendgroup=verdict,
        showlegend=in_legend,
        x=x,
        y=y,
        text=text,
        mode="lines+markers+text",
        textposition="middle right",
        line={"color": _COLOURS[verdict], "width": 9},
        marker={"color": _COLOURS[verdict], "size": 11},
        hoverinfo="y+text",
    )


def _verdict(row: Row) -> str:
    """Judge the range as it is written beside it: 1.04 is written as 1, which is not faster."""
    faster, unsure, slower = _COLOURS
    if round(row.high, 2) < 1:
        return slower
    return faster if round(row.low, 1) > 1 else unsure


def _span(panels: Sequence[Panel]) -> tuple[float, float]:
    """Return the axis's ends as powers of ten, with room for the figures on the right."""
    low = min(1.0, *(row.low for panel in panels for row in panel.rows))
    high = max(1.0, *(row.high for panel in panels for row in panel.rows))
    left, right = math.log10(low), math.log10(high)
    return left - 0.08, right + 0.25 * max(right - left, 0.3)


def _height(panels: Sequence[Panel]) -> int:
    return _FRAME + sum(_TITLE + _ROW * len(panel.rows) for panel in panels)
