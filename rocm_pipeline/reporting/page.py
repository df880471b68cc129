"""The HTML report: one page a target, and an index of them all."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import plotly.graph_objects as go
from jinja2 import Environment, StrictUndefined, Template
from markdown_it import MarkdownIt
from plotly.offline import get_plotlyjs
from pydantic import BaseModel, ConfigDict, ValidationError

from rocm_pipeline.agents.outcome import CandidateSet, ChosenKernel, Document
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.lab.benchmark import Benchmark
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.ranking import mean_speedup
from rocm_pipeline.planning.follow_up import MAX_RETURNS, returned, subject_of
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.planning.planted.measure import Measurement, table
from rocm_pipeline.planning.review import Review, Verdict
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.records.files import Files
from rocm_pipeline.reporting import tables
from rocm_pipeline.reporting.aims import aims_table
from rocm_pipeline.reporting.figures import progress_figure, speedup_figure
from rocm_pipeline.reporting.tables import markdown_table
from rocm_pipeline.targets.spec import Target

INDEX = "index.html"
PLOTLY = "plotly.min.js"

_log = logging.getLogger(__name__)


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
    evidence: str = ""
    """Empty, like the commit, in a summary that an older version wrote."""
    commit: str = ""
    """The commit that `branch` was left at; empty where nothing was proposed."""
    times_sent_back: int = 0
    """How often a final review asked for changes that were then made."""

    @property
    def review_words(self) -> str:
        """Return the verdict, who gave it, and what it came after."""
        words = f"{self.verdict} by {self.reviewer}"
        if not self.times_sent_back:
            return words
        words += f", sent back {_times(self.times_sent_back)}"
        stands = self.verdict == Verdict.CHANGES.value and self.times_sent_back >= MAX_RETURNS
        return f"{words}: not accepted" if stands else words


@dataclass(frozen=True)
class ReportInputs:
    """Everything a target's page shows."""

    target: Target
    plan: Plan
    candidates: CandidateSet
    kernel: ChosenKernel
    reproduction: Reproduction
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
    low, high = mean_speedup(evidence) or (None, None)
    return Summary(
        target=inputs.target.name,
        kernel=inputs.kernel.candidate.id,
        tier=tables.tier_label(evidence, inputs.reproduction),
        architectures=evidence.architectures_compiled,
        architectures_wanted=len(inputs.target.architectures),
        correctness=evidence.status,
        cases=len(evidence.cases),
        speedup_low=low,
        speedup_high=high,
        operator=inputs.operator.evidence.status,
        verdict=inputs.final.verdict.value,
        reviewer=inputs.final.reviewer,
        planner=inputs.plan.planner,
        branch=inputs.pull_request.branch,
        evidence=evidence.id,
        commit=inputs.pull_request.commit or "",
        times_sent_back=returned(inputs.plan),
    )


def write_page(folder: Path, inputs: ReportInputs, measured: Sequence[Measurement] = ()) -> Path:
    """Write the target's page, its summary and a new index; return the page's path.

    `measured` says how good the reviewers are; see `rocm_pipeline.planning.planted`.
    """
    summary = summarise(inputs)
    page = folder / f"{inputs.target.name}.html"
    text = _template("target.html.j2").render(
        inputs=inputs,
        summary=summary,
        tier=tables.tier_words(inputs.kernel.evidence, inputs.reproduction),
        reproduction=_markdown(tables.reproduction_table(inputs.reproduction)),
        reproduced=tables.reproduction_words(inputs.reproduction),
        speedup=_speedup_words(summary),
        mean_speedup=tables.mean_speedup_words,
        plotly=PLOTLY,
        speedup_figure=_drawn(speedup_figure(inputs.kernel), "speedup"),
        progress_figure=_drawn(progress_figure(inputs.candidates), "progress"),
        aims=_markdown(aims_table(inputs.plan, inputs.candidates)),
        document=_markdown(inputs.document.markdown),
        examples=_markdown(tables.examples_table(inputs.document.examples)),
        pull_request=_markdown(inputs.pull_request.body),
        analysis=_markdown(inputs.benchmark.analysis),
        asked=_asked(inputs.plan),
    )
    files = Files(str(folder))
    _write_plotly(files)
    files.write(f"{inputs.target.name}.json", summary.model_dump_json(indent=1).encode())
    files.write(page.name, text.encode())
    write_index(folder, measured)
    return page


def write_index(folder: Path, measured: Sequence[Measurement] = ()) -> Path:
    """Write the index over all summaries in `folder`, with what was measured of reviewers."""
    summaries = read_summaries(folder)
    rows = [(summary, _speedup_words(summary)) for summary in summaries]
    text = _template("index.html.j2").render(
        rows=rows,
        reviewers=_markdown(markdown_table(*table(measured))) if measured else "",
    )
    Files(str(folder)).write(INDEX, text.encode())
    return folder / INDEX


def read_summaries(folder: Path) -> list[Summary]:
    """Return the summaries in `folder`, by target name; what is none is left out with a warning."""
    found: list[Summary] = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(Summary.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError) as error:
            reason = "it is no summary" if isinstance(error, ValidationError) else error.strerror
            _log.warning("%s is left out of the reports: %s", path, reason)
    return found


def _write_plotly(files: Files) -> None:
    """Put plotly.js beside the pages, so that they open without a network."""
    code = get_plotlyjs().encode()
    if not files.exists(PLOTLY) or files.read(PLOTLY) != code:
        files.write(PLOTLY, code)


def _drawn(figure: go.Figure | None, name: str) -> str:
    """Return the figure as HTML for a page that loads plotly.js; the same each time."""
    if figure is None:
        return ""
    return figure.to_html(
        full_html=False, include_plotlyjs=False, div_id=name, config={"displayModeBar": False}
    )


def _markdown(text: str) -> str:
    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)


def _template(name: str) -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    source = files("rocm_pipeline.reporting") / "templates" / name
    return environment.from_string(source.read_text(encoding="utf-8"))


def _asked(plan: Plan) -> list[str]:
    """Return the tasks that reviews made in the plan, each with the kernel that was reviewed."""
    found = [(task.id, subject) for task in plan.tasks if (subject := subject_of(task))]
    return [f"{task} on {subject}" for task, subject in found]


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _speedup_words(summary: Summary) -> str:
    if summary.speedup_low is None or summary.speedup_high is None:
        return "none"
    return tables.range_words(summary.speedup_low, summary.speedup_high)
