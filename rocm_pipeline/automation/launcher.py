"""Runs whose process has died are noticed, also when the code server died with it.

Dagster's own launcher leaves this to the code server: when that is killed too (a reboot, the
kernel's out-of-memory killer), its runs would stay "started" for ever and keep their pools' places.
"""

from dagster import DagsterEventType, DagsterRun
from dagster._core.launcher import (
    CheckRunHealthResult,
    DefaultRunLauncher,
    LaunchRunContext,
    WorkerStatus,
)

from rocm_pipeline.records import owner

PROCESS_TAG = "rocm/process"
"""The process that executes a run by itself, as a command does."""
WORLD_TAG = "rocm/world"
"""Where the code server runs that a run's process is a child of."""
_FIRST_EVENTS = 5


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's default launcher, which also knows whether a run's process is alive."""

    def launch_run(self, context: LaunchRunContext) -> None:
        run_id = context.dagster_run.run_id
        self._instance.add_run_tags(run_id, {WORLD_TAG: owner.this_world()})
        super().launch_run(context)

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        if self._is_gone(run):
            return CheckRunHealthResult(WorkerStatus.FAILED, "the run's process has ended")
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def _is_gone(self, run: DagsterRun) -> bool:
        if PROCESS_TAG in run.tags:
            return owner.is_gone(run.tags[PROCESS_TAG])
        started = self._started(run)
        if started is None:
            return False
        pid, seen_at = started
        return owner.is_gone_since(run.tags.get(WORLD_TAG, ""), pid, seen_at)

    def _started(self, run: DagsterRun) -> tuple[int, float] | None:
        """Return the PID that the run's process reported first of all, and when."""
        connection = self._instance.get_records_for_run(
            run.run_id, of_type=DagsterEventType.ENGINE_EVENT, limit=_FIRST_EVENTS
        )
        for record in connection.records:
            entry = record.event_log_entry
            pid = entry.get_dagster_event().engine_event_data.metadata.get("pid")
            if pid is not None:
                return int(str(pid.value)), entry.timestamp
        return None
