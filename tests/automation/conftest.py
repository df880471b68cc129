"""The main job on fakes in a home of its own, in this process."""

import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest

from rocm_pipeline.automation.events import StageEvent
from rocm_pipeline.automation.running import RunSummary, run_targets
from rocm_pipeline.definitions import assemble
from rocm_pipeline.home import Home
from rocm_pipeline.reporting.page import INDEX, ReportInputs, summarise
from rocm_pipeline.resources.instance import prepare_instance
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


def _without_a_home(patch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY", "ROCM_PIPELINE_HOME"):
        patch.setenv(name, "")


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


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose tables are made; copies of it need no second of migrations each."""
    made = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        _without_a_home(patch)
        prepare_instance(Home(made)).dispose()
    return made


@pytest.fixture
def command(tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    return _command_in(tmp_path, prepared, monkeypatch)


@dataclass(frozen=True)
class Finished:
    """A home in which row_softmax was made, and how."""

    home: Path
    summary: RunSummary


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Finished:
    """What a first run leaves; it lies elsewhere than it was made, so that no path leads back."""
    made = tmp_path_factory.mktemp("finished") / "home"
    with pytest.MonkeyPatch.context() as patch:
        (summary,) = _command_in(made, prepared, patch).run()
    return Finished(made.rename(made.with_name("moved")), summary)


@pytest.fixture
def command_again(tmp_path: Path, finished: Finished, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command after its first run."""
    return _command_in(tmp_path, finished.home, monkeypatch)


def _command_in(place: Path, like: Path, patch: pytest.MonkeyPatch) -> Command:
    """Make `place` a copy of the home `like`, and return the command of it."""
    _without_a_home(patch)
    shutil.copytree(like, place, dirs_exist_ok=True)
    made = Command(Home(place))
    module = ModuleType(LOCATION)
    module.__dict__["defs"] = assemble(
        {**made.pipeline.resources(), "reporting": PageWriter(made.home)}, dg.in_process_executor
    )
    patch.setitem(sys.modules, LOCATION, module)
    return made
