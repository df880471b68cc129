"""The real daemon, in a home of its own, and steps in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus

import rocm_pipeline
from rocm_pipeline.automation.alerts import ALERTS
from rocm_pipeline.automation.commits import Cursor
from rocm_pipeline.automation.schedules import NIGHTLY_VARIABLE
from rocm_pipeline.home import REPOSITORY_VARIABLE, Home
from rocm_pipeline.resources import instance as settings
from rocm_pipeline.resources.instance import GPU_POOL, prepare_instance
from tests.fakes.code_location import HOLD
from tests.scale import only_long

ROOT = Path(rocm_pipeline.__file__).parents[1]
LOCATION = "tests.fakes.code_location"
SECONDS = 300.0
Found = TypeVar("Found")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY", "ROCM_PIPELINE_HOME"):
        monkeypatch.setenv(name, "")
    monkeypatch.delenv(REPOSITORY_VARIABLE, raising=False)
    monkeypatch.delenv(NIGHTLY_VARIABLE, raising=False)
    return Home(tmp_path / "home")


@pytest.fixture
def instance(home: Home) -> Iterator[DagsterInstance]:
    with prepare_instance(home) as prepared:
        yield prepared


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the run monitor look more often; every other setting is the project's own."""
    real = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    real["run_monitoring"] |= {"poll_interval_seconds": 2, "free_slots_after_run_end_seconds": 2}
    file = tmp_path / "dagster.yaml"
    file.write_text(yaml.safe_dump(real), encoding="utf-8")
    monkeypatch.setattr(settings, "_settings_file", lambda: file)


@dataclass
class Daemon:
    """A daemon in a session of its own, with its log."""

    home: Home
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        program = str(Path(sys.executable).with_name("dagster-daemon"))
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [program, "run", "-m", LOCATION],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DAGSTER_HOME": str(self.home.dagster),
                    "ROCM_PIPELINE_HOME": str(self.home.path),
                    "PYTHONPATH": str(ROOT),
                    "PYTHONWARNINGS": "ignore",
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self) -> None:
        if self.process is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, how)
                self.process.wait(10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self.process = None

    def kill_everything(self) -> None:
        """End daemon, code server, runs and steps at once, as a power cut does."""
        assert self.process is not None
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(10)

    def wait_for(self, look: Callable[[], Found | None]) -> Found:
        """Return what `look` finds, as soon as it does."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = look()
            if found is not None:
                return found
            time.sleep(0.5)
        words = self.log.read_text()[-3000:]
        pytest.fail(f"nothing in {SECONDS:g} s; the daemon's last words:\n{words}")


@pytest.fixture
def daemon(home: Home, instance: DagsterInstance, tmp_path: Path) -> Iterator[Daemon]:
    del instance  # the home must be ready before a daemon opens it
    made = Daemon(home, tmp_path / "daemon.log")
    yield made
    made.stop()


def descendants(pid: int) -> list[int]:
    """Return the processes that `pid` started, those they started, and so on."""
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        children += [int(child) for child in task.read_text().split()]
    return [*children, *(deeper for child in children for deeper in descendants(child))]


def test_the_daemon_sees_a_commit_and_makes_stages_of_the_target(
    instance: DagsterInstance, daemon: Daemon
) -> None:
    daemon.start()

    def a_stage_of_a_run_for_a_commit() -> tuple[str, str] | None:
        """Return run key and partition of the first run that made a stage."""
        for run in instance.get_runs():
            assert run.status is not DagsterRunStatus.FAILURE, daemon.log.read_text()[-3000:]
        records = instance.fetch_materializations(AssetKey("target"), limit=1).records
        if not records:
            return None
        run = instance.get_run_by_id(records[0].run_id)
        assert run is not None
        return run.tags["dagster/run_key"], run.tags["dagster/partition"]

    run_key, partition = daemon.wait_for(a_stage_of_a_run_for_a_commit)
    assert run_key.startswith(f"{partition}@")
    (state,) = [
        state for state in instance.all_instigator_state() if state.instigator_name == "commits"
    ]
    assert state.instigator_data is not None
    seen = Cursor.read(getattr(state.instigator_data, "cursor", None))
    assert run_key == f"{partition}@{seen.sha}-{seen.moves}"


@only_long
def test_the_daemon_runs_every_target_when_night_falls(
    instance: DagsterInstance, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NIGHTLY_VARIABLE, "* * * * *")
    daemon.start()

    def a_night() -> list[DagsterRun] | None:
        runs = [run for run in instance.get_runs() if run.tags["rocm/trigger"] == "nightly"]
        return runs if len(runs) >= 3 else None

    runs = daemon.wait_for(a_night)
    night = min(run.tags["dagster/run_key"].split("/")[0] for run in runs)
    keys = {run.tags["dagster/run_key"] for run in runs}
    targets = {"row_softmax", "flash_attention", "vae_decoder_block"}
    assert {f"{night}/{target}" for target in targets} <= keys
    ticks = [run.tags["dagster/schedule_name"] for run in runs]
    assert set(ticks) == {"nightly"}


@pytest.mark.usefixtures("impatient")
@only_long
def test_a_run_that_died_with_everything_else_is_tried_again_and_its_place_is_free(
    home: Home, instance: DagsterInstance, daemon: Daemon
) -> None:
    hold = home.path / HOLD
    hold.touch()
    daemon.start()

    def holder() -> str | None:
        """Return the run that holds the only place of the pool."""
        slots = instance.event_log_storage.get_concurrency_info(GPU_POOL).claimed_slots
        return slots[0].run_id if slots else None

    killed = daemon.wait_for(holder)
    daemon.kill_everything()
    run = instance.get_run_by_id(killed)
    assert run is not None
    assert run.status is DagsterRunStatus.STARTED
    assert holder() == killed

    hold.unlink()
    daemon.start()

    def retried() -> DagsterRun | None:
        for run in instance.get_runs():
            if run.parent_run_id == killed and run.status is DagsterRunStatus.SUCCESS:
                return run
        return None

    again = daemon.wait_for(retried)
    assert again.tags["dagster/retry_number"] == "1"
    run = instance.get_run_by_id(killed)
    assert run is not None
    assert run.status is DagsterRunStatus.FAILURE

    def alert() -> dict[str, str] | None:
        """Return the line that the failure sensor wrote for the killed run."""
        path = home.path / ALERTS
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return next((line for line in map(json.loads, lines) if line["run"] == killed), None)

    told = daemon.wait_for(alert)
    assert told["target"] == again.tags["dagster/partition"]
    assert told["reason"]
