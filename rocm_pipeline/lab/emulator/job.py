"""The files through which a run's parent and the driver in the sandbox talk."""

import marshal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import numpy as np

from rocm_pipeline.lab.emulator.build import EmulatorBuild
from rocm_pipeline.lab.emulator.conditions import Conditions, draw_conditions
from rocm_pipeline.lab.emulator.instrumentation import site_table
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundLaunch, BoundPlan

_DRIVER, _BUFFERS = "driver.pyc", "buffers.bin"
PAGE = 4096
"""Bytes; of an output that begins as one byte repeated, the driver writes the changed pages."""
MOST_LIVE_BLOCKS = 32
"""That may wait for each other (runtime/execution.h)."""


@dataclass(frozen=True)
class BlockSample:
    """Blocks to run of a launch too large to run whole."""

    spread: int
    """How many, from the first to the last; the profile is of these. With 0 of the listed ones."""
    listed: tuple[int, ...] = ()
    """Numbers of others to run after them, x fastest."""


@dataclass(frozen=True)
class Job:
    """One run: every launch of a plan over these buffers, once for each of `rounds`."""

    build: EmulatorBuild
    plan: BoundPlan
    rounds: Sequence[Mapping[str, Array]]
    """What the buffers hold at the start of each round; they keep their addresses."""
    scalars: Mapping[str, np.generic]
    outputs: Sequence[str]
    uninitialised: Sequence[str]
    watched: Sequence[str]
    reverse: bool
    samples: Sequence[BlockSample | None]
    """For each launch, None for all of its blocks; empty for all of all."""
    conditions: str
    """What everything that the result must not depend on is drawn from."""
    profile: bool
    trace: bool = False
    """Whether every request to global memory is recorded (trace.py)."""
    cpu_seconds: float = 20
    """Processor time after which the run ends and tells where it is (runtime/deadline.h)."""

    @property
    def buffers(self) -> Mapping[str, Array]:
        return self.rounds[0]

    @property
    def buffer_bytes(self) -> int:
        return sum(array.nbytes for array in self.buffers.values())

    @property
    def drawn_conditions(self) -> Conditions:
        return draw_conditions(
            self.conditions,
            [array.nbytes for array in self.buffers.values()],
            len(self.rounds),
            self.reverse,
        )

    @cached_property
    def fills(self) -> Sequence[Mapping[str, int | None]]:
        """For each round, the byte that a buffer consists of at its start, or None."""
        return [
            {name: _filled_with(values[name]) for name in self.buffers} for values in self.rounds
        ]


def write_job(job: Job, runtime: bytes, box: Path, given: Path) -> None:
    """Put the driver, which is run by this very interpreter, into `given`, and its job into `box`.

    What the buffers hold goes into `given`, too, which the sandbox reads where it is: a box is
    copied in and out.
    """
    (given / _DRIVER).write_bytes(_compiled_driver())
    (box / "runtime.so").write_bytes(runtime)
    (box / "kernel.so").write_bytes(job.build.library)
    (box / "sites.bin").write_bytes(site_table(job.build.sites))
    with (given / _BUFFERS).open("wb") as file:
        for values, fills in zip(job.rounds, job.fills, strict=True):
            for name, fill in fills.items():
                if fill is None:
                    file.write(np.ascontiguousarray(values[name]).data)
    (box / "job.marshal").write_bytes(marshal.dumps(_description(job)))


def bare_interpreter() -> tuple[list[str], dict[str, Path]]:
    """This interpreter without packages, and what must be visible in the sandbox for it."""
    interpreter = Path(sys.executable).resolve()
    prefix = Path(sys.base_prefix).resolve()
    # At its own path, because an interpreter may hold absolute paths to its libraries.
    readonly = {} if prefix.is_relative_to("/usr") else {str(prefix): prefix}
    return [str(interpreter), "-I", "-S"], readonly


def command(given: Path) -> tuple[list[str], dict[str, Path]]:
    """The driver's command line, and what must be visible in the sandbox for it."""
    interpreter, readonly = bare_interpreter()
    shown = {f"/{name}": given / name for name in (_DRIVER, _BUFFERS)}
    return [*interpreter, *shown], readonly | shown


@cache
def _compiled_driver() -> bytes:
    """The driver as bytecode: Python compiles a program anew each time it is started.

    The 12 bytes after the number of the format are its source's time and size, which nothing reads
    where bytecode itself is the program.
    """
    source = files("rocm_pipeline.lab.emulator") / "runtime" / "driver.py"
    code = compile(source.read_text(), "driver.py", "exec", dont_inherit=True)
    return MAGIC_NUMBER + bytes(12) + marshal.dumps(code)


def _description(job: Job) -> dict[str, object]:
    names = list(job.buffers)
    conditions = job.drawn_conditions
    return {
        "sites": len(job.build.sites),
        "objects": len(job.build.variables),
        "counters": len(job.build.operations),
        "deadline": max(int(1000 * job.cpu_seconds), 1),
        "reverse": int(job.reverse),
        # A sample of a large launch says nothing about races, and their record is large.
        "check_races": int(not any(job.samples)),
        "rounds": [list(fills.values()) for fills in job.fills],
        "page": PAGE,
        "noise": list(conditions.noise),
        "memory_bytes": conditions.total_bytes,
        "stacks_first": int(conditions.stacks_first),
        "profile": job.profile,
        "trace": job.trace,
        "buffers": [
            {
                "bytes": array.nbytes,
                "begin": begin,
                "element": array.itemsize,
                "poisoned": int(name in job.uninitialised),
                "watched": int(name in job.watched),
            }
            for (name, array), begin in zip(job.buffers.items(), conditions.begins, strict=True)
        ],
        "outputs": [names.index(name) for name in job.outputs],
        "launches": [
            _launch(launch, names, job.scalars) | _blocks(_sample_of(job, launch, sample))
            for launch, sample in zip(
                job.plan.launches, job.samples or [None] * len(job.plan.launches), strict=True
            )
        ],
    }


def _filled_with(array: Array) -> int | None:
    """Return the byte that an array consists of, as fresh outputs do: those need no copies."""
    raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    if raw.size == 0 or raw[0] != raw[-1] or raw.min() != raw.max():
        return None
    return int(raw[0])


def _sample_of(job: Job, launch: BoundLaunch, sample: BlockSample | None) -> BlockSample | None:
    """Blocks that wait for each other run all together; larger launches cannot be run anyway."""
    together = job.build.waits_for_the_grid and launch.blocks <= MOST_LIVE_BLOCKS
    return None if together else sample


def _blocks(sample: BlockSample | None) -> dict[str, object]:
    sample = sample or BlockSample(spread=0)
    return {"spread_blocks": sample.spread, "listed_blocks": list(sample.listed)}


def _launch(
    launch: BoundLaunch, names: Sequence[str], scalars: Mapping[str, np.generic]
) -> dict[str, object]:
    arguments: list[tuple[str, object]] = []
    for name in launch.args:
        if name in names:
            arguments.append(("buffer", names.index(name)))
        else:
            arguments.append((scalars[name].dtype.name, scalars[name].item()))
    return {
        "kernel": launch.kernel,
        "grid": launch.grid,
        "block": launch.block,
        "shared_bytes": launch.shared_bytes,
        "arguments": arguments,
    }
