"""The files through which a run's parent and the driver in the sandbox talk."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import prod
from pathlib import Path

import numpy as np

from rocm_pipeline.lab.devices.model import Driver, Program
from rocm_pipeline.lab.emulator.job import bare_interpreter
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundPlan
from rocm_pipeline.targets.subject import BoundTensor, Role

POISON = 0xFF
"""Every byte of outputs and workspace before a run; a NaN in every floating type."""
_PLACE = "/driver"
_PACKAGE = "rocm_pipeline.lab.devices.runtime"


@dataclass(frozen=True)
class LoadedPlan:
    """A program and what it is to launch."""

    program: Program
    plan: BoundPlan

    @property
    def workspace(self) -> dict[str, int]:
        """Bytes of each workspace."""
        return {w.name: prod(w.shape) * w.dtype.itemsize for w in self.plan.workspace}


@dataclass(frozen=True)
class DeviceJob:
    """Programs over the same tensors, contents for these, and the order of the runs."""

    plans: tuple[LoadedPlan, ...]
    tensors: tuple[BoundTensor, ...]
    sets: tuple[Mapping[str, Array], ...]
    """Contents of the tensors before a run; those without, and every workspace, are poisoned."""
    scalars: Mapping[str, np.generic]
    schedule: tuple[tuple[int, int], ...]
    """(program, set), run after run."""
    flush_bytes: int = 0
    """Written between runs so that nothing of the inputs is left in a cache."""

    @property
    def outputs(self) -> tuple[BoundTensor, ...]:
        return tuple(tensor for tensor in self.tensors if tensor.role is not Role.INPUT)

    @property
    def output_bytes(self) -> int:
        """Bytes of outputs that one run leaves."""
        return sum(bytes_of(tensor) for tensor in self.outputs)

    @property
    def set_bytes(self) -> int:
        """Bytes of all contents given."""
        return sum(array.nbytes for values in self.sets for array in values.values())

    @property
    def buffer_names(self) -> list[str]:
        """Every buffer by its number: the tensors, then each program's workspace."""
        spaces = [name for plan in self.plans for name in plan.workspace]
        return [*(tensor.name for tensor in self.tensors), *spaces]


def bytes_of(tensor: BoundTensor) -> int:
    return prod(tensor.shape) * tensor.dtype.itemsize


def write_job(job: DeviceJob, driver: Driver, box: Path) -> None:
    """Put everything the driver reads into `box`."""
    places: list[list[int | None]] = []
    with (box / "buffers.bin").open("wb") as file:
        for values in job.sets:
            row: list[int | None] = []
            for tensor in job.tensors:
                array = values.get(tensor.name)
                row.append(None if array is None else file.tell())
                if array is not None:
                    file.write(np.ascontiguousarray(array).data)
            places.append(row)
    spaces = [size for plan in job.plans for size in plan.workspace.values()]
    for number, plan in enumerate(job.plans):
        (box / f"image{number}.bin").write_bytes(plan.program.image)
    description = {
        **_device(driver),
        "programs": [{"launches": _launches(job, number)} for number in range(len(job.plans))],
        "bytes": [*map(bytes_of, job.tensors), *spaces],
        "sets": [[*row, *[None] * len(spaces)] for row in places],
        "poison": POISON,
        "watched": [n for n, tensor in enumerate(job.tensors) if tensor.role is Role.INPUT],
        "outputs": [n for n, tensor in enumerate(job.tensors) if tensor.role is not Role.INPUT],
        "schedule": job.schedule,
        "flush_bytes": job.flush_bytes,
    }
    (box / "job.json").write_text(json.dumps(description))


def write_question(driver: Driver, box: Path) -> None:
    """Ask for the device's facts and nothing else."""
    (box / "job.json").write_text(json.dumps({**_device(driver), "programs": []}))


def command(driver: Driver) -> tuple[list[str], dict[str, Path]]:
    """The command line, and what must be visible in the sandbox for it."""
    interpreter, readonly = bare_interpreter()
    folder = f"{_PLACE}/{_PACKAGE.replace('.', '/')}"
    readonly[folder] = Path(str(files(_PACKAGE)))
    readonly.update(driver.readonly)
    start = f"import sys; sys.path.insert(0, {_PLACE!r}); from {_PACKAGE}.main import main; main()"
    # -B: the folder of the code cannot be written to
    return [*interpreter, "-B", "-c", start], readonly


def _device(driver: Driver) -> dict[str, object]:
    return {"kind": driver.kind.value, "library": str(driver.library), "number": driver.number}


def _launches(job: DeviceJob, program: int) -> list[dict[str, object]]:
    before = sum(len(plan.workspace) for plan in job.plans[:program])
    numbers = {tensor.name: number for number, tensor in enumerate(job.tensors)}
    first = len(numbers) + before
    extra = job.plans[program].program.shared_bytes
    numbers |= {name: first + i for i, name in enumerate(job.plans[program].workspace)}
    return [
        {
            "kernel": launch.kernel,
            "grid": launch.grid,
            "block": launch.block,
            "shared_bytes": launch.shared_bytes + extra.get(launch.kernel, 0),
            "arguments": _arguments(launch.args, numbers, job.scalars),
        }
        for launch in job.plans[program].plan.launches
    ]


def _arguments(
    names: Sequence[str], numbers: Mapping[str, int], scalars: Mapping[str, np.generic]
) -> list[tuple[str, object]]:
    return [
        ("buffer", numbers[name])
        if name in numbers
        else (scalars[name].dtype.name, scalars[name].item())
        for name in names
    ]
