"""One line in `alerts.log` of the home for every run that failed."""

import fcntl
import json
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg

from rocm_pipeline.automation.events import reason_of
from rocm_pipeline.home import Home
from rocm_pipeline.redaction.process import clean_text

ALERTS = "alerts.log"


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=f"Writes one line to {ALERTS} in the home for every run that failed.",
)
def alert_on_failure(
    context: dg.RunFailureSensorContext, home: dg.ResourceParam[Home]
) -> dg.SkipReason | None:
    """Note the run once, however often Dagster reports it."""
    run = context.dagster_run
    failed = context.get_step_failure_events()
    written = note(
        home.path / ALERTS,
        run_id=run.run_id,
        target=run.tags.get("dagster/partition", ""),
        step=failed[0].step_key or "" if failed else "",
        reason=reason_of(failed[0]) if failed else context.failure_event.message or "",
        at=datetime.now(timezone.utc),
    )
    return None if written else dg.SkipReason(f"run {run.run_id} was noted before")


def note(path: Path, *, run_id: str, target: str, step: str, reason: str, at: datetime) -> bool:
    """Append one JSON line for a failed run; False when the file has it already."""
    line = {
        "at": at.isoformat(timespec="seconds"),
        "target": target,
        "step": step,
        "reason": reason,
        "run": run_id,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        if f'"run": "{run_id}"' in text:
            return False
        if text and not text.endswith("\n"):  # the half line of a process that was killed
            file.write("\n")
        file.write(clean_text(json.dumps(line, ensure_ascii=False)) + "\n")
    return True
