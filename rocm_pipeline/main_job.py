"""The main job as a person runs it: one command, a bar per stage, a table at the end."""

import fcntl
import os
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from rocm_pipeline.automation.events import StageEvent, StageState
from rocm_pipeline.automation.full_disk import full_disk_in_plain_words
from rocm_pipeline.automation.running import RunSummary, run_targets
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home
from rocm_pipeline.lab.controls import require_sound
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.planning.review import Verdict
from rocm_pipeline.records.records import Records
from rocm_pipeline.reporting.page import INDEX, Summary, read_summaries
from rocm_pipeline.reporting.tables import range_words
from rocm_pipeline.resources.locks import lock_file
from rocm_pipeline.resources.sources import HomeSources
from rocm_pipeline.terminal import PlainConsole

TITLE = (
    "Kernels (a speed-up is a geometric mean, over architectures and cases, of estimates; "
    "nothing of it was measured)"
)
STAGES = (
    "target",
    "repo_snapshot",
    "plan",
    "test_suite",
    "kernel_candidates",
    "kernel",
    "reproduction",
    "torch_op",
    "benchmark",
    "documentation",
    "cross_review",
    "final_review",
    "pull_request",
    "report",
)


def run_main_job(home: Home, names: Sequence[str], console: PlainConsole) -> bool:
    """Bring `names` up to date, show progress and the result; True when all were accepted."""
    started = time.monotonic()
    sources = HomeSources(home)
    _require_judges(sources, names)
    home.create()
    with _only_one(home), full_disk_in_plain_words(home):
        before = _spent(home, names)
        with _Bars(console, len(names)) as bars:
            runs = run_targets(home, names, bars.on_event, sources=sources)
        after = _spent(home, names)
        spent = {name: after[name] - before[name] for name in names}
        return _show(home, runs, spent, time.monotonic() - started, console)


@dataclass(frozen=True)
class _Spent:
    """What a target's calls came to: attempts and tokens of Claude and of the agents."""

    claude_calls: int
    agent_calls: int
    claude_tokens: int
    agent_tokens: int

    def __sub__(self, before: "_Spent") -> "_Spent":
        return _Spent(
            self.claude_calls - before.claude_calls,
            self.agent_calls - before.agent_calls,
            self.claude_tokens - before.claude_tokens,
            self.agent_tokens - before.agent_tokens,
        )


def _spent(home: Home, names: Sequence[str]) -> dict[str, _Spent]:
    """Return what each target has cost so far, over all runs."""
    records = Records.open(home.records_url, str(home.store))
    try:
        totals = {name: records.ledger.totals(target=name) for name in names}
    finally:
        records.close()
    return {
        name: _Spent(
            total.claude.attempts, total.agents.attempts, total.claude.tokens, total.agents.tokens
        )
        for name, total in totals.items()
    }


def _require_judges(sources: HomeSources, names: Sequence[str]) -> None:
    """Refuse what would fail later anyway, before anything is made."""
    for name in names:
        require_sound(sources.target(name))
    Sandbox.detect()


@contextmanager
def _only_one(home: Home) -> Generator[None]:
    """Hold the home's lock; a second run on the same home is refused, not queued."""
    with lock_file(home.lock) as file:
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

    def __init__(self, console: PlainConsole, targets: int) -> None:
        self._console = console
        self._live = console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description:<18}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[now]}", markup=False),
            console=console,
            disable=not self._live,
        )
        self._bars: dict[str, TaskID] = {
            stage: self._progress.add_task(stage, total=targets, now="") for stage in STAGES
        }

        self._done: dict[str, set[str]] = {stage: set() for stage in STAGES}

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
        done = event.state in (StageState.FINISHED, StageState.UNCHANGED)
        if done:
            # a stage runs again for work that a review sent back, and is one stage still
            self._done[event.stage].add(event.target)
        self._progress.update(
            bar, completed=len(self._done[event.stage]), now="" if done else words
        )
        if not self._live and event.state not in (StageState.STARTED, StageState.UNCHANGED):
            line = f"{event.target}: {event.stage} {event.state.value} {event.detail}".rstrip()
            self._console.print(line, soft_wrap=True)


def _show(
    home: Home,
    runs: Sequence[RunSummary],
    spent: Mapping[str, _Spent],
    seconds: float,
    console: PlainConsole,
) -> bool:
    summaries = {summary.target: summary for summary in read_summaries(home.reports)}
    table = Table(title=TITLE)
    for heading in (
        "target",
        "tier",
        "architectures",
        "correctness",
        "estimated speed-up",
        "operator",
        "review",
        "tokens, Claude / agents (this run)",
        "time",
    ):
        table.add_column(heading, overflow="fold", min_width=8)
    for run in runs:
        table.add_row(*_row(run, summaries.get(run.target), spent[run.target]))
    console.print(table)
    for run in runs:
        for line in _remarks(run):
            console.print(line, soft_wrap=True)
    if not any(run.made for run in runs) and all(run.succeeded for run in runs):
        console.print("Nothing changed: every stage stands as it was, no agent was called.")
    else:
        agents = sum(cost.agent_calls for cost in spent.values())
        claude = sum(cost.claude_calls for cost in spent.values())
        console.print(f"New calls: {agents} to agents, {claude} to Claude.")
    index = home.reports / INDEX
    if index.is_file():
        console.print(f"Report: {index}", soft_wrap=True)
        for run in runs:
            if not run.succeeded:
                shown = "as it was last reported" if run.target in summaries else "not at all"
                console.print(f"It shows {run.target}, which failed, {shown}.")
    console.print(f"Took {seconds:.1f} s.")
    return all(run.succeeded and _accepted(summaries.get(run.target)) for run in runs)


def _row(run: RunSummary, summary: Summary | None, spent: _Spent) -> tuple[str, ...]:
    tokens = f"{spent.claude_tokens} / {spent.agent_tokens}"
    time = "unchanged" if run.succeeded and not run.made else f"{run.seconds:.0f} s"
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
        summary.review_words,
        tokens,
        time,
    )


def _remarks(run: RunSummary) -> Iterator[str]:
    if run.failure:
        yield f"{run.target} failed: {run.failure}"
    for remark in run.remarks:
        if remark.words == run.failure:
            continue
        word = "failed" if remark.is_error else "note"
        yield f"{run.target}: {word}: {remark.words}"


def _accepted(summary: Summary | None) -> bool:
    return summary is not None and summary.verdict == Verdict.APPROVE.value
