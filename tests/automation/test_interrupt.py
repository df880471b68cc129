"""Ctrl-C in a terminal: SIGINT to the command and all that it started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from dagster import DagsterRunStatus

import rocm_pipeline
from rocm_pipeline.home import REPOSITORY_VARIABLE, Home
from rocm_pipeline.resources.instance import prepare_instance

ROOT = Path(rocm_pipeline.__file__).parents[1]
SECONDS = 60.0
PROGRAM = """
import sys
from rocm_pipeline import cli, main_job
from rocm_pipeline.automation.running import run_targets
from rocm_pipeline.resources.sources import HomeSources

def told(event):
    print(event.target, event.stage, event.state.value, event.detail, flush=True)

def on_fakes(home, names, console):
    location = "tests.fakes.code_location"
    run_targets(home, names, told, sources=HomeSources(home), code_location=location)
    return True

main_job.run_main_job = on_fakes
sys.argv = ["rocm-pipeline", "run", "row_softmax", "flash_attention"]
cli.main()
"""


def test_ctrl_c_ends_the_run_with_one_line_and_starts_no_other_target(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with (tmp_path / "errors").open("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            cwd=ROOT,
            env={
                **{key: value for key, value in os.environ.items() if key != REPOSITORY_VARIABLE},
                "DAGSTER_HOME": "",
                "ROCM_PIPELINE_HOME": str(home.path),
            },
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            os.killpg(process.pid, signal.SIGINT)
            began = time.monotonic()
            rest, _ = process.communicate(timeout=SECONDS)
            took = time.monotonic() - began
        finally:
            process.kill()
            process.wait()
        errors.seek(0)
        told = errors.read()
    assert first.startswith("row_softmax target started")
    assert process.returncode == 130, told
    assert told.splitlines() == [
        "stopped; what was received so far is kept, and a new run goes on from there"
    ]
    assert "flash_attention" not in rest
    assert "failed" not in rest
    assert took < SECONDS / 2
    with prepare_instance(home) as instance:
        (run,) = instance.get_runs()
    assert run.status is DagsterRunStatus.CANCELED
