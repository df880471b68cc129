"""`rocm-pipeline device`: what this machine has, and kernels checked and timed on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from rocm_pipeline.commands.common import compiled_files
from rocm_pipeline.errors import EXIT_NOT_ACCEPTED, UserError
from rocm_pipeline.lab.devices.model import Absent, Kind
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.terminal import out, print_json, say

if TYPE_CHECKING:
    from rocm_pipeline.lab.candidate import Candidate
    from rocm_pipeline.lab.devices.correctness import OnDevice
    from rocm_pipeline.lab.devices.records import (
        CaseTiming,
        CorrectnessRecord,
        DeviceRecord,
        TimingRecord,
    )
    from rocm_pipeline.targets.subject import Subject

device_app = typer.Typer(no_args_is_help=True, help="Check and time kernels on a device.")

Folder = Annotated[
    Path, typer.Argument(help="Folder of kernel.hip, launch.json, reference.py, case.json.")
]
On = Annotated[
    Kind | None,
    typer.Option("--on", help="Device; the first GPU that is found.", show_default=False),
]
Number = Annotated[int, typer.Option("--number", min=0, help="Which GPU of that kind.")]
Json = Annotated[bool, typer.Option("--json", help="Print the record as JSON.")]
Seed = Annotated[
    int | None,
    typer.Option(help="Repeat the record that had this seed.", min=0, show_default=False),
]
_GPUS = (Kind.AMD, Kind.NVIDIA)


@device_app.command("list")
def list_devices() -> None:
    """Show which devices can be used here, and how to get the others."""
    from rocm_pipeline.lab.devices.discovery import find

    table = Table("Device", "Found", "What is missing")
    with compiled_files() as cache:
        for kind in _GPUS:
            found = find(kind)
            facts = found if isinstance(found, Absent) else _device(kind, 0, cache).describe()
            if isinstance(facts, Absent):
                table.add_row(kind.value, "no", f"{facts.reason}. {facts.fix}")
            else:
                driver = f"{facts.label}, {facts.compute_units} compute units, {facts.driver}"
                table.add_row(kind.value, driver, "")
    table.add_row("cpu", "the emulator: finds errors, measures no time", "")
    out.print(table)


@device_app.command("check")
def check(
    folder: Folder, on: On = None, number: Number = 0, seed: Seed = None, as_json: Json = False
) -> None:
    """Compare a kernel's outputs on a device with its reference (tier T3; T2 on the CPU).

    Exit status 0: passed; 1: not passed; 2: there is no such device, or the files are wrong.
    """
    from rocm_pipeline.lab.devices.correctness import check_on_device

    subject, candidate = _read(folder)
    with compiled_files() as cache:
        record = check_on_device(_chosen(on, number, cache), candidate, subject, seed=seed)
    _finish(record, as_json, _correctness_line(record))


@device_app.command("time")
def time(
    folder: Folder,
    against: Annotated[
        Path, typer.Option("--against", help="Folder of the baseline's kernel.hip and launch.json.")
    ],
    on: On = None,
    number: Number = 0,
    pairs: Annotated[int, typer.Option(min=1, max=1000, help="Pairs of runs per case.")] = 24,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Time a kernel against a baseline on a device, in interleaved pairs (tier T4).

    Exit status 0: every case has a verdict; 1: not; 2: there is no such device, or the files are
    wrong.
    """
    from rocm_pipeline.lab.devices.timing import time_on_device

    subject, candidate = _read(folder)
    _, baseline = _read(against)
    with compiled_files() as cache:
        device = _chosen(on, number, cache)
        record = time_on_device(device, baseline, candidate, subject, seed=seed, pairs=pairs)
    _finish(record, as_json, *_timing_lines(record))


def _read(folder: Path) -> "tuple[Subject, Candidate]":
    from rocm_pipeline.lab.candidate import Candidate
    from rocm_pipeline.lab.case_files import read_case_files
    from rocm_pipeline.lab.case_subject import open_subject
    from rocm_pipeline.lab.sandbox import Sandbox
    from rocm_pipeline.targets.subject import ARCHITECTURES, WAVES

    files = read_case_files(folder, None)
    subject = open_subject(files, Sandbox.detect(), architectures=ARCHITECTURES, waves=WAVES)
    source, plan = files.source, files.launch_plan
    return subject, Candidate(target=subject.name, source=source, launch_plan=plan)


def _chosen(on: Kind | None, number: int, cache: Path) -> "OnDevice":
    from rocm_pipeline.lab.devices.discovery import find

    if on is not None:
        return _device(on, number, cache)
    for kind in _GPUS:
        if not isinstance(find(kind, number), Absent):
            return _device(kind, number, cache)
    raise UserError(
        "no AMD and no NVIDIA GPU was found",
        where="device",
        fix="`rocm-pipeline device list` says what is missing; --on cpu runs the emulator.",
    )


def _device(kind: Kind, number: int, cache: Path) -> "OnDevice":
    from rocm_pipeline.lab.devices.cpu import CpuDevice
    from rocm_pipeline.lab.devices.device import Device
    from rocm_pipeline.lab.devices.discovery import find
    from rocm_pipeline.lab.sandbox import Sandbox

    if kind is Kind.CPU:
        return CpuDevice(Sandbox.detect(), cache)
    driver = find(kind, number)
    if isinstance(driver, Absent):
        raise UserError(driver.reason, where=f"device {kind.value}", fix=driver.fix)
    return Device(driver, Sandbox.detect(), cache)


def _finish(record: "DeviceRecord", as_json: bool, *lines: str) -> None:
    if as_json:
        print_json(record.model_dump_json(indent=1))
    else:
        say(f"{record.status.value}  {record.reason}".rstrip())
        for finding in record.findings:
            say(f"{finding.status.value}: {finding.message}")
        for line in lines:
            say(line)
    if record.status is Status.NOT_RUN:
        raise UserError(
            f"nothing was run: {record.reason}",
            where=f"device {record.kind.value}",
            fix="`rocm-pipeline device list` says what is missing.",
        )
    if record.status is not Status.PASSED:
        raise typer.Exit(EXIT_NOT_ACCEPTED)


def _correctness_line(record: "CorrectnessRecord") -> str:
    where = record.device.label if record.device else record.kind.value
    tier = record.tier.label if record.tier else "no tier"
    return f"{tier} on {where}: {len(record.cases)} of {record.executions} cases run; {record.id}"


def _timing_lines(record: "TimingRecord") -> list[str]:
    if not record.timings:
        return []
    where = record.device.label if record.device else record.kind.value
    return [f"On {where}, seed {record.seed}:", *map(timing_line, record.timings)]


def timing_line(timing: "CaseTiming") -> str:
    """One case in words: verdict, interval, medians, what was flushed and checked."""
    said = timing.reason or f"{timing.verdict.value}, {timing.speedup:.3f} times"
    clocks = ", ".join(f"{n} {low:g}-{high:g} MHz" for n, (low, high) in timing.clocks.items())
    return (
        f"{timing.case.name}: {said} ({timing.low:.3f} to {timing.high:.3f}, "
        f"{len(timing.pairs)} pairs, {timing.flush_bytes >> 20} MiB flushed, "
        f"{timing.checked_outputs} outputs checked, {clocks or 'clocks cannot be read'})"
    )
