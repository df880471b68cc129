"""A command waits for the daemon's run of the same target."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from rocm_pipeline.automation import others as module
from rocm_pipeline.automation.events import StageEvent, StageState
from rocm_pipeline.automation.launcher import PROCESS_TAG
from rocm_pipeline.automation.others import Others
from rocm_pipeline.automation.running import run_targets
from rocm_pipeline.home import Home
from rocm_pipeline.records.owner import this_process
from rocm_pipeline.resources.instance import prepare_instance
from tests.automation.conftest import LOCATION, Command

GONE = this_process().rsplit(":", 1)[0] + ":1"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    for name in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY", "ROCM_PIPELINE_HOME"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.05)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    with prepare_instance(Home(tmp_path)) as prepared:
        yield prepared


def other_run(
    instance: DagsterInstance,
    target: str = "row_softmax",
    *,
    status: DagsterRunStatus = DagsterRunStatus.STARTED,
    process: str | None = None,
) -> DagsterRun:
    """Add a run of this very process, or of `process`."""
    tags = {"dagster/partition": target, PROCESS_TAG: process or this_process()}
    return instance.add_run(DagsterRun("main_job", tags=tags, status=status))


def test_a_run_of_the_same_target_is_told_once_and_waited_for(instance: DagsterInstance) -> None:
    run = other_run(instance)
    told: list[StageEvent] = []
    waited: list[bool] = []
    thread = threading.Thread(
        target=lambda: waited.append(Others(instance).waited("row_softmax", told.append))
    )
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    instance.report_run_failed(run)
    thread.join(10)
    assert waited == [True]
    (event,) = told
    assert event.state is StageState.WAITING
    assert run.run_id in event.detail


@pytest.mark.parametrize(
    ("target", "status", "process"),
    [
        ("flash_attention", DagsterRunStatus.STARTED, None),
        ("row_softmax", DagsterRunStatus.NOT_STARTED, None),
        ("row_softmax", DagsterRunStatus.SUCCESS, None),
        ("row_softmax", DagsterRunStatus.STARTED, GONE),
        ("row_softmax", DagsterRunStatus.CANCELING, GONE),
    ],
    # the name of a process would differ between the workers of pytest
    ids=["another target", "not started", "ended", "process gone", "cancelled, process gone"],
)
def test_what_does_not_write_the_target_is_not_waited_for(
    instance: DagsterInstance, target: str, status: DagsterRunStatus, process: str | None
) -> None:
    other_run(instance, target, status=status, process=process)
    told: list[StageEvent] = []
    assert not Others(instance).waited("row_softmax", told.append)
    assert told == []


def test_a_run_that_never_came_to_its_start_is_given_up(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_run(instance, status=DagsterRunStatus.STARTING)
    later = time.time() + instance.run_monitoring_start_timeout_seconds + 1
    monkeypatch.setattr(module.time, "time", lambda: later)
    assert not Others(instance).waited("row_softmax", lambda _: None)


def test_a_command_looks_again_at_what_is_stale_once_the_other_run_has_ended(
    command: Command,
) -> None:
    with prepare_instance(command.home) as instance:
        run = other_run(instance)

        def end(event: StageEvent) -> None:
            """The other run ends, having made everything, as soon as it is waited for."""
            if event.state is StageState.WAITING:
                instance.report_run_failed(run)
                command.run()

        (summary,) = run_targets(
            command.home,
            ["row_softmax"],
            end,
            sources=command.pipeline.sources,
            code_location=LOCATION,
        )
    assert summary.succeeded
    assert summary.made == ()
