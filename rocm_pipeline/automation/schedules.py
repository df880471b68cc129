"""The nightly run of every target."""

import dagster as dg

from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.automation.jobs import main_job
from rocm_pipeline.resources.protocols import Sources


@dg.schedule(
    job=main_job,
    cron_schedule="0 2 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every target at 02:00. Questions that were answered before cost nothing again.",
)
def nightly(
    context: dg.ScheduleEvaluationContext, sources: dg.ResourceParam[Sources]
) -> list[dg.RunRequest]:
    """Ask for one run per target; the key keeps a second tick of the same night from doubling."""
    names = sources.names()
    known = set(context.instance.get_dynamic_partitions(targets.name or ""))
    missing = [name for name in names if name not in known]
    if missing:
        context.instance.add_dynamic_partitions(targets.name or "", missing)
    date = context.scheduled_execution_time.date().isoformat()
    return [
        dg.RunRequest(
            run_key=f"{date}/{name}", partition_key=name, tags={"rocm/trigger": "nightly"}
        )
        for name in names
    ]
