"""The main job as a person runs it: one command, a bar per stage, a table at the end."""

import fcntl
import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from rocm_pipeline.automation.events import StageEvent, StageState
from rocm_pipeline.automation.running import RunSummary, run_targets
from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet.hosts import find_config
from rocm_pipeline.fleet.service import require_models
from rocm_pipeline.home import Home
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.planning.review import Verdict
from rocm_pipeline.records.ledger import Totals
from rocm_pipeline.records.records import Records
from rocm_pipeline.reporting.page import INDEX, Summary, read_summaries
from rocm_pipeline.reporting.tables import range_words
from rocm_pipeline.resources.sources import HomeSources

STAGES = (
    "target",
    "repo_snapshot",
    "plan",
    "test_suite",
    "kernel_candidates",
    "kernel",
    "torch_op",
    "benchmark",
    "documentation",
    "cross_review",
    "final_review",
    "pull_request",
    "report",
)


def run_main_job(home: Home, names: Sequence[str], console: Console) -> bool:
    """Bring `names` up to date, show progress and the result; True when all were accepted."""
    started = time.monotonic()
    sources = HomeSources(home)
    _preflight(home, sources, names)
    home.create()
    with _only_one(home):
        before = _totals(home)
        with _Bars(console, len(names)) as bars:
            runs = run_targets(home, names, bars.on_event, sources=sources)
        calls = _totals(home).agents.attempts - before.agents.attempts
        claude = _totals(home).claude.attempts - before.claude.attempts
        return _show(home, runs, calls, claude, time.monotonic() - started, console)


def _preflight(home: Home, sources: HomeSources, names: Sequence[str]) -> None:
    """Refuse what would fail later anyway, before anything is made."""
    for name in names:
        sources.target(name)
    Sandbox.detect()
    config = find_config(home.path)
    if config is not None:
        require_models(config)


@contextmanager
def _only_one(home: Home) -> Generator[None]:
    """Hold the home's lock; a second run on the same home is refused, not queued."""
    with home.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            owner = file.read().strip() or "another process"
            raise UserError(
                f"a run is under way in this home (process {owner})",
                where=str(home.path),
                fix="Wait for it, or give another folder with `--home`.",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)


class _Bars:
    """A bar per stage, each as long as there are targets; without a terminal, a line per stage."""

    def __init__(self, console: Console, targets: int) -> None:
        self._console = console
        self._live = console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[now]}"),
            console=console,
            disable=not self._live,
        )
        self._bars: dict[str, TaskID] = {
            stage: self._progress.add_task(stage, total=targets, now="") for stage in STAGES
        }

    def __enter__(self) -> "_Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_event(self, event: StageEvent) -> None:
        bar = self._bars.get(event.stage)
        if bar is None:
            return
        words = f"{event.target}: {event.detail}" if event.detail else event.target
        done = event.state is StageState.FINISHED
        self._progress.update(bar, advance=1 if done else 0, now="" if done else words)
        if not self._live and event.state is not StageState.STARTED:
            line = f"{event.target}: {event.stage} {event.state.value} {event.detail}".rstrip()
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _show(
    home: Home,
    runs: Sequence[RunSummary],
    calls: int,
    claude: int,
    seconds: float,
    console: Console,
) -> bool:
    summaries = {summary.target: summary for summary in read_summaries(home.reports)}
    table = Table(title="Kernels (speed-ups are estimates, not measurements)")
    for heading in (
        "target",
        "tier",
        "architectures",
        "correctness",
        "estimated speed-up",
        "operator",
        "review",
        "tokens Claude / agents",
        "time",
    ):
        table.add_column(heading, overflow="fold", min_width=8)
    records = Records.open(home.records_url, str(home.store))
    try:
        for run in runs:
            totals = records.ledger.totals(target=run.target)
            table.add_row(*_row(run, summaries.get(run.target), totals))
    finally:
        records.close()
    console.print(table)
    for run in runs:
        for line in _remarks(run):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not any(run.made for run in runs) and all(run.succeeded for run in runs):
        console.print("Nothing changed: every stage stands as it was, no agent was called.")
    else:
        console.print(f"New calls: {calls} to agents, {claude} to Claude.")
    console.print(f"Report: {home.reports / INDEX}", soft_wrap=True, highlight=False)
    console.print(f"Took {seconds:.1f} s.")
    return all(run.succeeded and _accepted(summaries.get(run.target)) for run in runs)


def _row(run: RunSummary, summary: Summary | None, totals: Totals) -> tuple[str, ...]:
    tokens = f"{totals.claude.tokens} / {totals.agents.tokens}"
    time = f"{run.seconds:.0f} s" if run.made else "unchanged"
    if summary is None or not run.succeeded:
        return run.target, "", "", "FAILED", "", "", "", tokens, time
    speedup = "none (baseline kept)"
    if summary.speedup_low is not None and summary.speedup_high is not None:
        speedup = f"{range_words(summary.speedup_low, summary.speedup_high)} (estimate)"
    return (
        run.target,
        summary.tier,
        f"{len(summary.architectures)} of {summary.architectures_wanted}",
        f"{summary.correctness.value}, {summary.cases} cases",
        speedup,
        summary.operator.value,
        f"{summary.verdict} by {summary.reviewer}",
        tokens,
        time,
    )


def _remarks(run: RunSummary) -> Iterator[str]:
    if run.failure:
        yield f"{run.target} failed: {run.failure}"
    for remark in run.remarks:
        word = "failed" if remark.is_error else "note"
        yield f"{run.target}: {word}: {remark.stage}, {remark.check}: {remark.description}"


def _accepted(summary: Summary | None) -> bool:
    return summary is not None and summary.verdict == Verdict.APPROVE.value


def _totals(home: Home) -> Totals:
    records = Records.open(home.records_url, str(home.store))
    try:
        return records.ledger.totals()
    finally:
        records.close()
