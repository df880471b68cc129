"""The main job, all stages for one target, and the executor that runs its steps."""

import os

import dagster as dg

from rocm_pipeline.automation.forking import PRELOADED

MAIN_JOB = "main_job"

main_job = dg.define_asset_job(
    MAIN_JOB,
    selection=dg.AssetSelection.all(),
    description="Everything for one target: from the plan to the pull request and the report.",
)

executor = dg.multiprocess_executor.configured(
    {
        "start_method": {"forkserver": {"preload_modules": PRELOADED}},
        "max_concurrent": len(os.sched_getaffinity(0)),
    },
    name="forkserver",
)
