# pyright: basic, reportMissingImports=false
"""The program that the sandbox runs for a document: every example in a process of its own."""

import traceback
from functools import partial
from pathlib import Path

# imported here, once, for all the processes forked later: the first call of an operator would
import torch
import torch._dynamo

from rocm_pipeline.integration.example_job import (
    ENDINGS_FILE,
    EXAMPLES_FILE,
    ExampleEnding,
    ExampleEndings,
    ExampleJob,
)
from rocm_pipeline.integration.inside.family import harden
from rocm_pipeline.integration.inside.leaving import leave_only
from rocm_pipeline.integration.inside.process import Line, Places, in_own_process
from rocm_pipeline.integration.inside.subject import Subject, load
from rocm_pipeline.integration.job import MAX_MESSAGE, Check, CheckResult, Ended, Job

_FILE = "the example"


def main(*folders: str) -> None:
    """Run the examples, and write how they ended when nothing else is alive in the sandbox.

    `folders` are those of the job, the package and the build of its kernels; the endings go to the
    working folder.
    """
    jobs, packages, libraries = map(Path, folders)
    box = Path.cwd()
    harden()
    torch.set_num_threads(1)
    asked = ExampleJob.model_validate_json((jobs / EXAMPLES_FILE).read_text(encoding="utf-8"))
    places = Places(packages, libraries)
    endings = tuple(_ending(source, asked.job, places) for source in asked.sources)
    content = ExampleEndings(endings=endings).model_dump_json().encode()
    leave_only(box, {ENDINGS_FILE: content})


def _ending(source: str, job: Job, places: Places) -> ExampleEnding:
    # an example is the import of the package, and what a user does next
    action = partial(_run, source, Subject(job, places.packages, places.packages))
    result, told = in_own_process(Check.LOAD, job, places, action)
    return ExampleEnding(ended=result.ended, message=result.message, reached=bool(told.answers))


def _run(source: str, subject: Subject, line: Line) -> CheckResult:
    load(subject, line)
    try:
        # the source is the agent's, and this is the sandbox
        exec(compile(source, _FILE, "exec"), {"__name__": "__main__"})  # noqa: S102
    except BaseException as error:
        message = _last_line(error, source)[:MAX_MESSAGE]
        return CheckResult(check=Check.LOAD, ended=Ended.RAISED, message=message)
    return CheckResult(check=Check.LOAD, ended=Ended.RAN)


def _last_line(error: BaseException, source: str) -> str:
    """Return the error with the example's own line that led to it."""
    words = f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
    own = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == _FILE]
    if not own or own[-1] is None:
        return words
    line = source.split("\n")[own[-1] - 1].strip()
    return f"`{line}` raised {words}"
