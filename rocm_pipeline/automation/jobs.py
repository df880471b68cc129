"""The main job, all stages for one target, and the executor that runs its steps."""

import os

import dagster as dg

MAIN_JOB = "main_job"

# A step's process is a fork of a server that has these loaded, which makes it ten times cheaper
# to start: the storages alone take a second of CPU each time.
_PRELOADED = [
    "rocm_pipeline.automation.step_server",
    "dagster._core.executor.multiprocess",
    "dagster._core.storage.runs",
    "dagster._core.storage.event_log",
    "dagster._core.storage.schedules",
    "dagster._core.storage.alembic",
    "rocm_pipeline.definitions",
]

main_job = dg.define_asset_job(
    MAIN_JOB,
    selection=dg.AssetSelection.all(),
    description="Everything for one target: from the plan to the pull request and the report.",
)

executor = dg.multiprocess_executor.configured(
    {
        "start_method": {"forkserver": {"preload_modules": _PRELOADED}},
        "max_concurrent": len(os.sched_getaffinity(0)),
    },
    name="forkserver",
)
