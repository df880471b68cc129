"""The second half of a night: all kernels that came of it are reviewed together.

Claude reviews several kernels in one call, and the runs of a night are of one target each. None of
them can wait for the others, since few run at a time; so each ends before its review, and this
sensor starts the rest when the last of them has ended.
"""

import json
from collections.abc import Sequence

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG, WILL_RETRY_TAG

from rocm_pipeline.automation.jobs import main_job
from rocm_pipeline.automation.staleness import FINAL_REVIEW, from_stage_on, stages_of
from rocm_pipeline.resources.asking import (
    NIGHTLY,
    REVIEWED_TAG,
    RUN_TAG,
    TOGETHER_TAG,
    TRIGGER_TAG,
    together,
)

NIGHT_TAG = "rocm/night"
"""Of a run that ends before its review: when its night began."""
MOST_RUNS = 1000
"""That are looked through for those of the newest night."""


def night_tags(night: str) -> dict[str, str]:
    """Return what all runs of a night carry, those of both its halves: they spend one budget."""
    return {TRIGGER_TAG: NIGHTLY, RUN_TAG: f"night-{night}"}


def before_review(repository: dg.RepositoryDefinition) -> list[dg.AssetKey]:
    """Return the stages that can be made before the final review."""
    stages = stages_of(repository)
    later = from_stage_on(stages, FINAL_REVIEW)
    return [dg.AssetKey(stage.name) for stage in stages if stage.name not in later]


def from_review_on(repository: dg.RepositoryDefinition) -> list[dg.AssetKey]:
    """Return the final review and the stages after it."""
    return [
        dg.AssetKey(name) for name in sorted(from_stage_on(stages_of(repository), FINAL_REVIEW))
    ]


@dg.sensor(
    job=main_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Has the kernels of a night reviewed, all in one question to Claude.",
)
def nightly_reviews(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for the rest of each target of the newest night once all have come up to their review.

    One that failed is left out, as its run says. The cursor is the last night that was dealt with.
    """
    runs = _of_newest_night(context.instance)
    if not runs:
        return dg.SkipReason("no night whose kernels are reviewed together")
    night = runs[0].tags[NIGHT_TAG]
    if night == context.cursor:
        return dg.SkipReason(f"the kernels of {night} are under review, or were")
    newest = {run.tags[PARTITION_NAME_TAG]: run for run in reversed(runs)}
    names: list[str] = json.loads(runs[0].tags[TOGETHER_TAG])
    waiting = [name for name in names if name not in newest or not _has_ended(newest[name])]
    if waiting:
        return dg.SkipReason(f"not ready for review: {', '.join(waiting)}")
    ready = [name for name in names if newest[name].status is dg.DagsterRunStatus.SUCCESS]
    assert context.repository_def is not None
    selection = from_review_on(context.repository_def)
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=f"{night}/{name}/review",
                partition_key=name,
                asset_selection=selection,
                tags={**night_tags(night), **together(ready, REVIEWED_TAG)},
            )
            for name in ready
        ],
        cursor=night,
    )


def _of_newest_night(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    """Return the first halves of the newest night, the newest run first."""
    nightly = dg.RunsFilter(tags={TRIGGER_TAG: NIGHTLY})
    runs = [run for run in instance.get_runs(nightly, limit=MOST_RUNS) if NIGHT_TAG in run.tags]
    return [run for run in runs if run.tags[NIGHT_TAG] == runs[0].tags[NIGHT_TAG]]


def _has_ended(run: dg.DagsterRun) -> bool:
    """Say whether a run has ended for good: one whose process died is tried again by Dagster."""
    return run.is_finished and run.tags.get(WILL_RETRY_TAG) != "true"
