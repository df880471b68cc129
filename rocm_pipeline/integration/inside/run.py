# pyright: basic, reportMissingImports=false
"""The program that the sandbox runs: every check of every job, each in a process of its own."""

import re
import shutil
from functools import partial
from pathlib import Path

# imported here, once, for all the processes forked later
import torch
import torch._dynamo
import torch.testing._internal.optests

from rocm_pipeline.integration.inside import checks, tools
from rocm_pipeline.integration.inside.family import harden
from rocm_pipeline.integration.inside.process import Places, Told, in_own_process
from rocm_pipeline.integration.inside.subject import BOX, JOBS, LIBRARIES, PACKAGES, Subject
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


def main() -> None:
    """Run the jobs, and write what came of them when nothing else is alive in the sandbox."""
    harden()
    torch.set_num_threads(1)
    tools.warm_up()
    asked = Jobs.model_validate_json((JOBS / JOBS_FILE).read_text(encoding="utf-8"))
    files: _Files = {}
    for index, job in enumerate(asked.jobs):
        files |= {f"{index}/{name}": content for name, content in _run(index, job).items()}
    _write(files)


def _run(index: int, job: Job) -> _Files:
    files: _Files = {}
    found: list[CheckResult] = []
    places = Places(PACKAGES / str(index), LIBRARIES / str(index))
    for check in job.checks:
        subject = Subject(job, JOBS / str(index), places.packages)
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


def _write(files: _Files) -> None:
    for left in BOX.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    for name, content in files.items():
        path: Path = BOX / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
