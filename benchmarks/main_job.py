"""The figures of the main job against their aims. Run: make show-main

The job runs as a user runs it, by the installed command, on a fresh home.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg
from rich.console import Console

from benchmarks import verification
from benchmarks.figures import Figure, show
from benchmarks.machine import facts
from rocm_pipeline.automation.jobs import MAIN_JOB
from rocm_pipeline.home import HOME_VARIABLE, Home
from rocm_pipeline.resources.instance import prepare_instance

MAIN_JOB_AIM_SECONDS = 180.0
LOADING_AIM_SECONDS = 3.0
RERUN_AIM_SECONDS = 20.0


def loading_seconds() -> float:
    """Return how long a new process takes to load the definitions."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import rocm_pipeline.definitions"],
        check=True,
        env={**os.environ, "DAGSTER_DISABLE_TELEMETRY": "1"},
    )
    return time.perf_counter() - started


def run_job(home: Path) -> tuple[float, str]:
    """Run the main job on `home` and return its wall time and what it printed."""
    command = Path(sys.executable).with_name("rocm-pipeline")
    started = time.perf_counter()
    done = subprocess.run(
        [str(command), "run", "--home", str(home)], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"the main job ended with status {done.returncode}:\n{done.stdout}")
    return seconds, done.stdout


def stage_seconds(home: Path) -> dict[str, float]:
    """Return the time spent in the steps of each stage, from the run's own events."""
    os.environ[HOME_VARIABLE] = str(home)
    times: dict[str, float] = {}
    with prepare_instance(Home(home)) as instance:
        for run in instance.get_runs(dg.RunsFilter(job_name=MAIN_JOB)):
            for step in instance.get_run_step_stats(run.run_id):
                if step.start_time and step.end_time:
                    stage = re.split(r"[.\[]", step.step_key)[0]
                    spent = step.end_time - step.start_time
                    times[stage] = times.get(stage, 0.0) + spent
    return times


def measure() -> list[Figure]:
    """Return every figure of the main job."""
    figures = verification.measure()
    figures.append(
        Figure("definitions loading, new process", loading_seconds(), "s", LOADING_AIM_SECONDS)
    )
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        seconds, _ = run_job(home)
        figures.append(Figure("main job, three targets", seconds, "s", MAIN_JOB_AIM_SECONDS))
        figures += [
            Figure(f"  stage {name}, steps summed", spent, "s")
            for name, spent in stage_seconds(home).items()
        ]
        again, text = run_job(home)
        if "no agent was called" not in text:
            raise SystemExit(f"a run with nothing changed did something:\n{text}")
        figures.append(Figure("run again, nothing changed", again, "s", RERUN_AIM_SECONDS))
    return figures


if __name__ == "__main__":
    console = Console()
    console.print(facts(), soft_wrap=True)
    sys.exit(0 if show("Main job", measure(), console) else 1)
