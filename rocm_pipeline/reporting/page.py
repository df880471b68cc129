"""The HTML report: one page a target, and an index of them all."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import plotly.graph_objects as go
from jinja2 import Environment, StrictUndefined, Template
from markdown_it import MarkdownIt
from pydantic import BaseModel, ConfigDict

from rocm_pipeline.agents.outcome import CandidateSet, ChosenKernel, Document
from rocm_pipeline.errors import UserError
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.lab.benchmark import Benchmark
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.ranking import score
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.planning.review import Review
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.reporting import tables
from rocm_pipeline.targets.spec import Target

INDEX = "index.html"


class Summary(BaseModel):
    """One target's row in the table at the end of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    kernel: str
    tier: str
    architectures: tuple[str, ...]
    architectures_wanted: int
    correctness: Status
    cases: int
    speedup_low: float | None
    speedup_high: float | None
    """Geometric means over architectures and cases of an estimate; None for the baseline."""
    operator: Status
    verdict: str
    reviewer: str
    planner: str
    branch: str


@dataclass(frozen=True)
class ReportInputs:
    """Everything a target's page shows."""

    target: Target
    plan: Plan
    candidates: CandidateSet
    kernel: ChosenKernel
    operator: TorchOp
    benchmark: Benchmark
    document: Document
    cross: Review
    final: Review
    pull_request: PullRequest
    lineage: str


def summarise(inputs: ReportInputs) -> Summary:
    """Return the target's row; figures come from evidence."""
    evidence = inputs.kernel.evidence
    lows = [s.low for s in evidence.speedups]
    highs = [s.high for s in evidence.speedups]
    return Summary(
        target=inputs.target.name,
        kernel=inputs.kernel.candidate.id,
        tier=evidence.tier.label if evidence.tier is not None else "none",
        architectures=evidence.architectures_compiled,
        architectures_wanted=len(inputs.target.architectures),
        correctness=evidence.status,
        cases=len(evidence.cases),
        speedup_low=_mean(lows),
        speedup_high=_mean(highs),
        operator=inputs.operator.evidence.status,
        verdict=inputs.final.verdict.value,
        reviewer=inputs.final.reviewer,
        planner=inputs.plan.planner,
        branch=inputs.pull_request.branch,
    )


def write_page(folder: Path, inputs: ReportInputs) -> Path:
    """Write the target's page, its summary and a new index; return the page's path."""
    summary = summarise(inputs)
    page = folder / f"{inputs.target.name}.html"
    text = _template("target.html.j2").render(
        inputs=inputs,
        summary=summary,
        tier=tables.tier_words(inputs.kernel.evidence),
        speedup=_speedup_words(summary),
        speedup_figure=_figure(speedup_figure(inputs.kernel)),
        progress_figure=_figure(progress_figure(inputs.candidates)),
        document=_markdown(inputs.document.markdown),
        pull_request=_markdown(inputs.pull_request.body),
        analysis=_markdown(inputs.benchmark.analysis),
    )
    _write(folder / f"{inputs.target.name}.json", summary.model_dump_json(indent=1))
    _write(page, text)
    write_index(folder)
    return page


def write_index(folder: Path) -> Path:
    """Write the index over all summaries in `folder`."""
    summaries = read_summaries(folder)
    rows = [(summary, _speedup_words(summary)) for summary in summaries]
    text = _template("index.html.j2").render(rows=rows)
    _write(folder / INDEX, text)
    return folder / INDEX


def read_summaries(folder: Path) -> list[Summary]:
    """Return the summaries in `folder`, by target name."""
    return [
        Summary.model_validate_json(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    ]


def speedup_figure(kernel: ChosenKernel) -> go.Figure:
    """Ranges of the estimated speed-up, a bar for each architecture and case."""
    figure = go.Figure()
    cases = list(dict.fromkeys(s.case.name for s in kernel.evidence.speedups))
    for case in cases:
        found = [s for s in kernel.evidence.speedups if s.case.name == case]
        figure.add_bar(
            name=case,
            y=[s.architecture for s in found],
            x=[s.high - s.low for s in found],
            base=[s.low for s in found],
            orientation="h",
        )
    figure.add_vline(x=1.0, line_dash="dot", annotation_text="baseline")
    figure.update_layout(
        title="Speed-up over the baseline (estimate, not measured)",
        xaxis_title="times faster, low to high",
        barmode="group",
        template="plotly_white",
        height=420,
    )
    return figure


def progress_figure(candidates: CandidateSet) -> go.Figure:
    """The estimate of every candidate that passed, by task and round."""
    figure = go.Figure()
    for outcome in candidates.outcomes:
        points = [
            (found.exchange.round, value)
            for found in outcome.rounds
            if found.evidence and (value := score(found.evidence)) is not None
        ]
        figure.add_scatter(
            name=outcome.task_id,
            x=[round for round, _ in points],
            y=[value for _, value in points],
            mode="lines+markers",
        )
    figure.add_hline(y=1.0, line_dash="dot", annotation_text="baseline")
    figure.update_layout(
        title="Candidates that passed, by round (middle of the estimate)",
        xaxis_title="round",
        yaxis_title="times the baseline",
        template="plotly_white",
        height=360,
    )
    figure.update_xaxes(dtick=1)
    return figure


def _figure(figure: go.Figure) -> str:
    # plotly.js is written once beside the pages, so that they open without a network
    return figure.to_html(full_html=False, include_plotlyjs="directory")


def _markdown(text: str) -> str:
    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)


def _template(name: str) -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    source = files("rocm_pipeline.reporting") / "templates" / name
    return environment.from_string(source.read_text(encoding="utf-8"))


def _speedup_words(summary: Summary) -> str:
    if summary.speedup_low is None or summary.speedup_high is None:
        return "none"
    return tables.range_words(summary.speedup_low, summary.speedup_high)


def _mean(values: Sequence[float]) -> float | None:
    if not values:
        return None
    return math.exp(sum(math.log(value) for value in values) / len(values))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"the report cannot be written ({error.strerror or error})",
            where=str(path),
            fix="Free space or mend the permissions there.",
        ) from error
