"""`make show-device`: every built-in target on this machine's GPU, at T3 and T4.

Baselines and the kernels that the embedded agent writes are checked against the reference, and each
kernel is timed against the baseline in interleaved pairs. Without a GPU it says what is missing.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rocm_pipeline.agents.schedules import propose
from rocm_pipeline.commands.device import timing_line
from rocm_pipeline.home import Home
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.devices.correctness import check_on_device
from rocm_pipeline.lab.devices.device import Device
from rocm_pipeline.lab.devices.discovery import find
from rocm_pipeline.lab.devices.model import Absent, Kind
from rocm_pipeline.lab.devices.timing import time_on_device
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target

_DIRECTIONS = ("wide", "lean")


def candidates_of(target: Target) -> dict[str, Candidate]:
    """The baseline, and the first kernel in each direction of the embedded agent."""
    baseline = target.baseline
    found = {
        "baseline": Candidate(
            target=target.name, source=baseline.source, launch_plan=baseline.launch_plan
        )
    }
    for direction in _DIRECTIONS:
        proposal = propose(target, (), direction, seed=0)
        if proposal is not None:
            found[direction] = Candidate(
                target=target.name, source=proposal.source, launch_plan=proposal.launch_plan
            )
    return found


def show(device: Device, console: Console, records: Path | None) -> bool:
    """Print the table; return whether nothing failed."""
    table = Table("Target", "Kernel", "T3", "Cases", "T4")
    details: list[str] = []
    good = True
    for name in library.builtin_names():
        target = library.load(name, Path())
        kernels = candidates_of(target)
        for kernel, candidate in kernels.items():
            checked = check_on_device(device, candidate, target)
            good &= checked.status in (Status.PASSED, Status.UNSUPPORTED)
            details += [f"{name} {kernel}: {f.message}" for f in checked.findings]
            _keep(records, f"{name}-{kernel}-t3.json", checked.model_dump_json(indent=1))
            timed_as = "-"
            if kernel != "baseline" and checked.status is Status.PASSED:
                timed = time_on_device(device, kernels["baseline"], candidate, target)
                good &= timed.status in (Status.PASSED, Status.INCONCLUSIVE)
                timed_as = timed.status.value
                details += [f"{name} {kernel}: {f.message}" for f in timed.findings]
                details += [f"{name} {kernel}: {timing_line(each)}" for each in timed.timings]
                _keep(records, f"{name}-{kernel}-t4.json", timed.model_dump_json(indent=1))
            table.add_row(
                name,
                kernel,
                checked.status.value,
                f"{len(checked.cases)} of {checked.executions}",
                timed_as,
            )
    console.print(table)
    for line in details:
        console.print(line, highlight=False, markup=False)
    return good


def _keep(folder: Path | None, name: str, text: str) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=Path, help="folder to write every record to, as JSON")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    shown, good = 0, True
    for kind in (Kind.AMD, Kind.NVIDIA):
        driver = find(kind)
        if isinstance(driver, Absent):
            console.print(f"{kind.value}: NOT_RUN, {driver.reason}. {driver.fix}", highlight=False)
            continue
        device = Device(driver, Sandbox.detect(), Home.from_environment().cache)
        facts = device.describe()
        if isinstance(facts, Absent):
            console.print(f"{kind.value}: NOT_RUN, {facts.reason}. {facts.fix}", highlight=False)
            continue
        console.print(f"{facts.label}, {facts.driver}; {device.sandbox}", highlight=False)
        good &= show(device, console, arguments.records)
        shown += 1
    if not shown:
        console.print("No figure of a device was made on this machine.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
