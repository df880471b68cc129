# pyright: basic, reportMissingImports=false
"""The program that the sandbox runs: every check of every job, each in a process of its own."""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

# imported here, once, for all the processes forked later
import torch
import torch._dynamo
import torch.testing._internal.optests

from rocm_pipeline.integration.inside import checks, tools
from rocm_pipeline.integration.inside.family import harden
from rocm_pipeline.integration.inside.leaving import leave_only
from rocm_pipeline.integration.inside.process import Places, Told, in_own_process
from rocm_pipeline.integration.inside.subject import Subject
from rocm_pipeline.integration.job import (
    ANSWERS,
    JOBS_FILE,
    RESULTS_FILE,
    CheckResult,
    Job,
    Jobs,
    Results,
    ends_the_run,
)

_PLAIN = re.compile(r"[A-Za-z0-9_]{1,64}/[A-Za-z0-9_]{1,128}")

_Files = dict[str, bytes]


@dataclass(frozen=True)
class Inputs:
    """The folders that the harness filled."""

    jobs: Path
    packages: Path
    libraries: Path

    def of(self, index: int) -> "Inputs":
        """Return those of one job."""
        name = str(index)
        return Inputs(self.jobs / name, self.packages / name, self.libraries / name)


def main(*folders: str) -> None:
    """Run the jobs, and write what came of them when nothing else is alive in the sandbox.

    `folders` are those of the jobs, the packages and the builds of their kernels; the results go
    to the working folder.
    """
    inputs = Inputs(*map(Path, folders))
    box = Path.cwd()
    harden()
    torch.set_num_threads(1)
    tools.warm_up()
    asked = Jobs.model_validate_json((inputs.jobs / JOBS_FILE).read_text(encoding="utf-8"))
    files: _Files = {}
    for index, job in enumerate(asked.jobs):
        found = _run(inputs.of(index), job)
        files |= {f"{index}/{name}": content for name, content in found.items()}
    leave_only(box, files)


def _run(inputs: Inputs, job: Job) -> _Files:
    files: _Files = {}
    found: list[CheckResult] = []
    places = Places(inputs.packages, inputs.libraries)
    for check in job.checks:
        subject = Subject(job, inputs.jobs, inputs.packages)
        action = partial(checks.run, check, subject)
        result, told = in_own_process(check, job, places, action)
        found.append(result)
        files |= _named(check.value, told)
        if ends_the_run(result):
            break
    results = Results(results=tuple(found)).model_dump_json()
    return {**files, RESULTS_FILE: results.encode()}


def _named(check: str, told: Told) -> _Files:
    """Return the files of one check; names that no check gives are dropped."""
    arrays = {f"{check}/{n}.npy": c for n, c in told.arrays.items() if _PLAIN.fullmatch(n)}
    answers = {
        f"{check}{ANSWERS}/{n}.npy": c for n, c in told.answers.items() if _PLAIN.fullmatch(n)
    }
    return {**arrays, **answers}
