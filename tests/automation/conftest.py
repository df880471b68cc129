"""The main job on fakes in a home of its own, in this process."""

import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest

from rocm_pipeline.automation.events import StageEvent
from rocm_pipeline.automation.running import RunSummary, run_targets
from rocm_pipeline.definitions import assemble
from rocm_pipeline.home import Home
from rocm_pipeline.reporting.page import INDEX, ReportInputs, summarise
from tests.fakes.pipeline import FakePipeline, FakeReporting

LOCATION = "fake_code_location_in_process"


class PageWriter(FakeReporting):
    """Writes the files of a report, without their contents."""

    def __init__(self, home: Home) -> None:
        self._folder = home.reports

    def page(self, inputs: ReportInputs) -> Path:
        self._folder.mkdir(exist_ok=True)
        page = self._folder / f"{inputs.target.name}.html"
        for path in (page, self._folder / INDEX):
            path.touch()
        page.with_suffix(".json").write_text(summarise(inputs).model_dump_json(), encoding="utf-8")
        return page


class Command:
    """What the command line does, without its bars."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.pipeline = FakePipeline(home)
        self.events: list[StageEvent] = []

    def run(self, *targets: str) -> list[RunSummary]:
        self.events.clear()
        self.pipeline.workshop.calls = Counter()
        return run_targets(
            self.home,
            targets or ("row_softmax",),
            self.events.append,
            sources=self.pipeline.sources,
            code_location=LOCATION,
        )


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    for name in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY", "ROCM_PIPELINE_HOME"):
        monkeypatch.setenv(name, "")
    made = Command(Home(tmp_path))
    module = ModuleType(LOCATION)
    module.__dict__["defs"] = assemble(
        {**made.pipeline.resources(), "reporting": PageWriter(made.home)}, dg.in_process_executor
    )
    monkeypatch.setitem(sys.modules, LOCATION, module)
    return made
