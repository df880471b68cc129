"""What the model predicts against what was counted: published, and on a GPU of this machine."""

from functools import partial
from pathlib import Path

from benchmarks import prediction
from benchmarks.figures import NotRun, Row
from benchmarks.lab.rank_correlation import Compared, compare, rows
from rocm_pipeline.home import Home
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.devices.device import Device
from rocm_pipeline.lab.devices.discovery import find
from rocm_pipeline.lab.devices.model import Absent, Kind
from rocm_pipeline.lab.devices.timing import time_on_device
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets import library
from rocm_pipeline.targets.subject import ARCHITECTURES

COUNTED = "sectors and bank conflicts against a GPU's counters, 15 kernels"
TIMED = "rank correlation of predicted and measured times, 30 variants of 6 kernels"


def measure() -> list[Row]:
    """Return the rows against published counters, and those against a GPU or why there are none."""
    return [*prediction.measure(), *on_a_gpu()]


def on_a_gpu() -> list[Row]:
    """Compare with the AMD GPU of this machine; say why not where there is none."""
    sandbox, cache = Sandbox.detect(), Home.from_environment().cache
    driver = find(Kind.AMD)
    if isinstance(driver, Absent):
        return _not_run(f"no AMD GPU: {driver.reason}")
    device = Device(driver, sandbox, cache)
    facts = device.describe()
    if isinstance(facts, Absent):
        return _not_run(facts.reason)
    if facts.architecture not in ARCHITECTURES:
        return _not_run(f"{facts.label}: no times are predicted for it")
    harness = Harness(sandbox, cache)
    compared: list[Compared] = []
    for name in library.builtin_names():
        target = library.load(name, Path())
        kernel = target.baseline
        baseline = Candidate(target=name, source=kernel.source, launch_plan=kernel.launch_plan)
        judge = partial(harness.judge, target=target)
        time = partial(time_on_device, device, baseline, target=target)
        compared += compare(target, facts.architecture, judge, time)
    return [NotRun(COUNTED, f"{facts.label}: reading its counters is not written"), *rows(compared)]


def _not_run(reason: str) -> list[Row]:
    return [NotRun(COUNTED, reason), NotRun(TIMED, reason)]
