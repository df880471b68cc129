"""The nightly run of every target."""

import os
from collections.abc import Mapping

import dagster as dg
from dagster._utils.schedules import is_valid_cron_string

from rocm_pipeline.automation.jobs import main_job
from rocm_pipeline.automation.nights import NIGHT_TAG, before_review, night_tags
from rocm_pipeline.errors import UserError
from rocm_pipeline.planning.claude.settings import has_key
from rocm_pipeline.resources.asking import together
from rocm_pipeline.resources.instance import add_targets
from rocm_pipeline.resources.protocols import Sources

NIGHTLY_VARIABLE = "ROCM_PIPELINE_NIGHTLY"
TWO_IN_THE_MORNING = "0 2 * * *"


def nightly_cron(environment: Mapping[str, str]) -> str:
    """Return when the nightly run starts: 02:00 UTC, or the cron line of the environment."""
    cron = environment.get(NIGHTLY_VARIABLE, "").strip() or TWO_IN_THE_MORNING
    if not is_valid_cron_string(cron):
        raise UserError(
            f"{cron!r} is no cron line",
            where=f"environment variable {NIGHTLY_VARIABLE}",
            fix=f"Give minute, hour, day, month and weekday in UTC, such as {TWO_IN_THE_MORNING!r}",
        )
    return cron


@dg.schedule(
    job=main_job,
    cron_schedule=nightly_cron(os.environ),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every target, each night. Questions that were answered before cost nothing again.",
)
def nightly(
    context: dg.ScheduleEvaluationContext, sources: dg.ResourceParam[Sources]
) -> list[dg.RunRequest]:
    """Ask for one run per target; the key keeps a second tick of the same time from doubling.

    With a key for Claude the runs stop before the final reviews, which `nightly_reviews` asks for
    when all kernels of the night are there.
    """
    names = sources.names()
    add_targets(context.instance, names)
    night = context.scheduled_execution_time.strftime("%Y-%m-%dT%H:%M")
    in_halves = has_key() and len(names) > 1
    assert context.repository_def is not None
    return [
        dg.RunRequest(
            run_key=f"{night}/{name}",
            partition_key=name,
            asset_selection=before_review(context.repository_def) if in_halves else None,
            tags={
                **night_tags(night),
                **together(names),
                **({NIGHT_TAG: night} if in_halves else {}),
            },
        )
        for name in names
    ]
