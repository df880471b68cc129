"""Other runs of a target: two at once would write the same values.

The daemon holds its own runs back by a limit in dagster.yaml, which counts the runs of commands. A
command looks here. No lock is held between the two: both may start within the same second.
"""

import time
from collections.abc import Callable

import dagster as dg
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.dagster_run import RunRecord
from dagster._core.storage.tags import PARTITION_NAME_TAG

from rocm_pipeline.automation.events import StageEvent, StageState

_UNDER_WAY = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_POLL_SECONDS = 1.0


class Others:
    """Runs of an instance that a command has not started."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def waited(self, target: str, on_event: Callable[[StageEvent], None]) -> bool:
        """Wait while a run of `target` is under way, and say whether there was one.

        Each that is waited for is told once.
        """
        told = ""
        while (run_id := self._under_way(target)) is not None:
            if run_id != told:
                words = f"until run {run_id} has ended, which is under way for {target} too"
                on_event(StageEvent(target, "target", StageState.WAITING, words))
                told = run_id
            time.sleep(_POLL_SECONDS)
        return bool(told)

    def _under_way(self, target: str) -> str | None:
        records = self._instance.get_run_records(
            dg.RunsFilter(statuses=_UNDER_WAY, tags={PARTITION_NAME_TAG: target})
        )
        return next((each.dagster_run.run_id for each in records if self._is_alive(each)), None)

    def _is_alive(self, record: RunRecord) -> bool:
        """Say whether the run's process may live; without a daemon nobody fails one that died."""
        run = record.dagster_run
        if run.status is dg.DagsterRunStatus.STARTING:
            waited = time.time() - record.update_timestamp.timestamp()
            return waited < self._instance.run_monitoring_start_timeout_seconds
        health = self._instance.run_launcher.check_run_worker_health(run)
        return health.status is WorkerStatus.RUNNING
