"""The real-model benchmark, with the embedded agent in the place of a model."""

import shutil
from pathlib import Path

import pytest

from benchmarks.local_model import OWN_TARGETS, configured, do_kernel_tasks, models, tally
from rocm_pipeline.agents.embedded import MODEL, EmbeddedServer
from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet.hosts import FLEET_VARIABLE, OLLAMA_VARIABLE
from rocm_pipeline.home import Home
from rocm_pipeline.lab.controls import require_sound
from rocm_pipeline.records.records import Records
from rocm_pipeline.targets.library import load_folder
from tests.scale import only_long


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv(FLEET_VARIABLE, raising=False)
    monkeypatch.delenv(OLLAMA_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    made = Home(tmp_path / "home")
    made.create()
    shutil.copytree(OWN_TARGETS, made.targets)
    return made


def test_without_a_fleet_there_is_no_model_to_measure(home: Home) -> None:
    with pytest.raises(UserError, match="OLLAMA_HOST"):
        configured(home)


def test_the_vector_operation_is_a_sound_target() -> None:
    require_sound(load_folder(OWN_TARGETS / "saxpy"))


@only_long
def test_the_figures_are_those_of_the_records(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedServer() as server:
        monkeypatch.setenv(OLLAMA_VARIABLE, server.url)
        do_kernel_tasks(home, ("saxpy", "row_softmax"), rounds=1, max_tokens=8000, directions=1)
    records = Records.open(home.records_url, str(home.store))
    try:
        # the embedded agent has no schedule for a vector operation: it answers, and says so
        saxpy = tally(records, "saxpy")
        assert (saxpy.attempts, saxpy.answers, saxpy.kernels, saxpy.verified) == (1, 1, 0, 0)
        softmax = tally(records, "row_softmax")
        assert (softmax.attempts, softmax.answers) == (1, 1)
        assert softmax.kernels == softmax.compiled == softmax.verified == 1
        (line,) = models(records)
        assert line.startswith(MODEL)
    finally:
        records.close()
