"""The real daemon, in a home of its own, and steps in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from dagster import AssetKey, DagsterInstance, DagsterRunStatus

import rocm_pipeline
from rocm_pipeline.home import REPOSITORY_VARIABLE, Home
from rocm_pipeline.resources.instance import prepare_instance

ROOT = Path(rocm_pipeline.__file__).parents[1]
LOCATION = "tests.fakes.code_location"
SECONDS = 90.0
Found = TypeVar("Found")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY", "ROCM_PIPELINE_HOME"):
        monkeypatch.setenv(name, "")
    monkeypatch.delenv(REPOSITORY_VARIABLE, raising=False)
    return Home(tmp_path / "home")


@pytest.fixture
def instance(home: Home) -> Iterator[DagsterInstance]:
    with prepare_instance(home) as prepared:
        yield prepared


@pytest.fixture
def daemon(home: Home, instance: DagsterInstance, tmp_path: Path) -> Iterator[Path]:
    """Run the daemon in a process group of its own; yield its log."""
    del instance  # the home must be ready before a daemon opens it
    log = tmp_path / "daemon.log"
    program = str(Path(sys.executable).with_name("dagster-daemon"))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "run", "-m", LOCATION],
            cwd=ROOT,
            env={
                **os.environ,
                "DAGSTER_HOME": str(home.dagster),
                "ROCM_PIPELINE_HOME": str(home.path),
                "PYTHONPATH": str(ROOT),
                "PYTHONWARNINGS": "ignore",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    yield log
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def wait_for(look: Callable[[], Found | None], log: Path) -> Found:
    """Return what `look` finds, as soon as it does."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found = look()
        if found is not None:
            return found
        time.sleep(0.5)
    pytest.fail(f"nothing in {SECONDS:g} s; the daemon's last words:\n{log.read_text()[-3000:]}")


def test_the_daemon_sees_a_commit_and_makes_stages_of_the_target(
    instance: DagsterInstance, daemon: Path
) -> None:
    def a_stage_of_a_run_for_a_commit() -> tuple[str, str] | None:
        """Return run key and partition of the first run that made a stage."""
        for run in instance.get_runs():
            assert run.status is not DagsterRunStatus.FAILURE, daemon.read_text()[-3000:]
        records = instance.fetch_materializations(AssetKey("target"), limit=1).records
        if not records:
            return None
        run = instance.get_run_by_id(records[0].run_id)
        assert run is not None
        return run.tags["dagster/run_key"], run.tags["dagster/partition"]

    run_key, partition = wait_for(a_stage_of_a_run_for_a_commit, daemon)
    assert run_key.startswith(f"{partition}@")
    (state,) = [
        state for state in instance.all_instigator_state() if state.instigator_name == "commits"
    ]
    assert state.instigator_data is not None
    assert run_key == f"{partition}@{getattr(state.instigator_data, 'cursor', None)}"
