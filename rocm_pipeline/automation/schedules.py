"""The nightly run of every target."""

import dagster as dg

from rocm_pipeline.automation.jobs import main_job
from rocm_pipeline.resources.instance import add_targets
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
    add_targets(context.instance, names)
    date = context.scheduled_execution_time.date().isoformat()
    return [
        dg.RunRequest(
            run_key=f"{date}/{name}", partition_key=name, tags={"rocm/trigger": "nightly"}
        )
        for name in names
    ]
