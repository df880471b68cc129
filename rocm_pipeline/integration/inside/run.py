# pyright: basic, reportMissingImports=false
"""The program that the sandbox runs: every check of the job, each in a process of its own."""

import os
from functools import partial
from pathlib import Path

# imported here, once, for all the processes forked later
import torch
import torch._dynamo
import torch.testing._internal.optests

from rocm_pipeline.integration.inside import checks
from rocm_pipeline.integration.inside.process import in_own_process
from rocm_pipeline.integration.inside.subject import BOX, JOB
from rocm_pipeline.integration.job import (
    JOB_FILE,
    RESULTS_FILE,
    CheckResult,
    Job,
    Results,
    ends_the_run,
)


def main() -> None:
    """Run the job; the results so far are on disk after every check."""
    torch.set_num_threads(1)
    job = Job.model_validate_json((JOB / JOB_FILE).read_text(encoding="utf-8"))
    found: list[CheckResult] = []
    for check in job.checks:
        action = partial(checks.run, check, job)
        result = in_own_process(check, action, job.seconds_per_check)
        found.append(result)
        _write(BOX / RESULTS_FILE, Results(results=tuple(found)).model_dump_json())
        if ends_the_run(result):
            return


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
