"""What a person reads at the end of a run."""

import io
from pathlib import Path

import pytest

from rocm_pipeline import main_job
from rocm_pipeline.automation.events import StageEvent, StageState
from rocm_pipeline.automation.running import OnEvent, Remark, RunSummary
from rocm_pipeline.definitions import defs
from rocm_pipeline.home import REPOSITORY_VARIABLE, Home
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.main_job import STAGES, run_main_job
from rocm_pipeline.reporting.page import Summary
from rocm_pipeline.terminal import PlainConsole

GATE = Remark("kernel_candidates", "some_candidate_passed", True, "0 of 2 passed")


class Shown:
    """Runs the command over a given outcome and keeps what it printed."""

    def __init__(self, home: Home, patch: pytest.MonkeyPatch) -> None:
        self.home = home
        self._patch = patch

    def of(self, *runs: RunSummary, events: tuple[StageEvent, ...] = (), live: bool = False) -> str:
        def run_targets(_: Home, __: object, on_event: OnEvent, **___: object) -> object:
            for event in events:
                on_event(event)
            return list(runs)

        self._patch.setattr(main_job, "run_targets", run_targets)
        text = io.StringIO()
        console = PlainConsole(file=text, width=200, force_terminal=live, color_system=None)
        run_main_job(self.home, [run.target for run in runs], console)
        return text.getvalue()


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shown:
    monkeypatch.delenv(REPOSITORY_VARIABLE, raising=False)
    return Shown(Home(tmp_path), monkeypatch)


def test_every_stage_of_the_pipeline_has_a_bar() -> None:
    keys = defs.resolve_asset_graph().get_all_asset_keys()
    assert set(STAGES) == {key.to_user_string() for key in keys} - {"agent_reply"}
    assert len(set(STAGES)) == len(STAGES)


def test_what_looks_like_markup_stands_in_a_bar_as_it_is(shown: Shown) -> None:
    events = (
        StageEvent("row_softmax", "plan", StageState.SENT_BACK, "[/x] \x1b]0;title\x07[red]"),
    )
    text = shown.of(RunSummary("row_softmax", ()), events=events, live=True)
    assert "row_softmax: [/x] ]0;title[red]" in text


def test_a_failure_is_told_once(shown: Shown) -> None:
    other = Remark("benchmark", "within_bounds", False, "close to a bound")
    text = shown.of(
        RunSummary("row_softmax", (), failure=GATE.words, remarks=(GATE, other), seconds=3)
    )
    assert text.count("some_candidate_passed") == 1
    assert "note: benchmark: within_bounds: close to a bound" in text
    assert "unchanged" not in text, "a target that failed does not stand"


def test_a_report_that_is_not_there_is_not_named(shown: Shown) -> None:
    run = RunSummary("row_softmax", (), failure="plan: no")
    assert "Report:" not in shown.of(run)
    shown.home.reports.mkdir()
    (shown.home.reports / "index.html").touch()
    assert f"Report: {shown.home.reports}/index.html" in shown.of(run)


def test_what_the_report_holds_of_a_failed_target_is_said(shown: Shown) -> None:
    shown.home.reports.mkdir()
    (shown.home.reports / "index.html").touch()
    run = RunSummary("row_softmax", (), failure="plan: no")
    assert "It shows row_softmax, which failed, not at all." in shown.of(run)
    summary = Summary(
        target="row_softmax",
        kernel="k-1",
        tier="T2",
        architectures=(),
        architectures_wanted=6,
        correctness=Status.PASSED,
        cases=1,
        speedup_low=None,
        speedup_high=None,
        operator=Status.PASSED,
        verdict="approve",
        reviewer="rules",
        planner="rules",
        branch="",
    )
    (shown.home.reports / "row_softmax.json").write_text(summary.model_dump_json())
    assert "It shows row_softmax, which failed, as it was last reported." in shown.of(run)
    assert "It shows" not in shown.of(RunSummary("row_softmax", ()))


def test_the_table_says_what_its_figures_are(shown: Shown) -> None:
    text = shown.of(RunSummary("row_softmax", ()))
    assert "geometric mean" in text
    assert "estimates" in text
    assert "(this run)" in " ".join(text.split())


def test_the_bars_of_what_stands_are_full(shown: Shown) -> None:
    events = tuple(StageEvent("row_softmax", stage, StageState.UNCHANGED) for stage in STAGES)
    text = shown.of(RunSummary("row_softmax", ()), events=events, live=True)
    assert text.count("1/1") >= len(STAGES)
    quiet = shown.of(RunSummary("row_softmax", ()), events=events)
    assert "plan unchanged" not in quiet, "a log has no bars and needs no thirteen lines"
