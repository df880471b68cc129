"""How long emulation takes: the same kernels plain and checked, on one core and on two.

Plain is the build that runs operators on CPU tensors; its blocks are spread over processes that
share the buffers. Checked is what verification runs. The checker sees one block after another in
one process (that is how it finds races between blocks), so a checked launch takes one core; on two
cores two checked runs go on at once, as when candidates are verified.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import TypeAdapter

from benchmarks.figures import Figure
from benchmarks.lab.workloads import Workload, workloads
from rocm_pipeline.lab.emulator import Emulator, EmulatorBuild
from rocm_pipeline.lab.emulator.job import Job, bare_interpreter, command, write_job
from rocm_pipeline.lab.emulator.outputs import split_outputs
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Completed, Limits, Sandbox, read_result, temporary_box

PLAIN_GEMM_AIM_MILLISECONDS = 100.0
RATIO_AIM = 5.0
REPEATS = 5
CHECKED_REPEATS = 3
WAVE = 64
"""Plain builds are of this wave size."""
_MOST_BYTES = 64 << 20
_LIMITS = Limits(wall_seconds=120, cpu_seconds=120, memory_bytes=4 << 30)


class Time(NamedTuple):
    """What one way of running took, in seconds."""

    wall: float
    processor: float
    """Of the busiest process: what it would take on cores that do nothing else."""


_TIMES = TypeAdapter(list[Time])
_TIMES_BY_PROCESSES = TypeAdapter(list[list[Time]])


@dataclass(frozen=True)
class Times:
    """Of one workload; the fastest of the repetitions, because others may share the machine."""

    workload: str
    plain: Time
    plain_on_two: Time
    checked: Time
    checked_at_once: float
    """For each launch plan, when two checked runs go on at once: half of what one then takes."""
    whole_run: float
    """A checked run with everything: files, sandbox, interpreter, loading, reading results."""


def measure() -> list[Figure]:
    """Return a group of rows for each workload."""
    with tempfile.TemporaryDirectory() as folder:
        bench = EmulationBench(Sandbox.detect(), Path(folder))
        return [row for each in workloads() for row in rows(bench.times(each))]


def rows(times: Times) -> Iterator[Figure]:
    """Return the rows of one workload."""
    plain, two, checked = times.plain, times.plain_on_two, times.checked
    aim = PLAIN_GEMM_AIM_MILLISECONDS if times.workload.startswith("GEMM") else None
    ratio = checked.processor / plain.processor
    yield Figure(f"{times.workload}: plain, one core", plain.wall * 1e3, "ms")
    yield Figure("  processor time of it", plain.processor * 1e3, "ms")
    yield Figure("  plain, blocks spread over two processes", two.wall * 1e3, "ms", aim)
    yield Figure("  processor time of the busier one", two.processor * 1e3, "ms")
    yield Figure("  checked, one core", checked.wall * 1e3, "ms")
    yield Figure("  processor time of it", checked.processor * 1e3, "ms")
    yield Figure("  checked over plain, processor time", ratio, "", RATIO_AIM)
    yield Figure("  checked, two at once: for each", times.checked_at_once * 1e3, "ms")
    yield Figure("  whole checked run, with its sandbox", times.whole_run * 1e3, "ms")


class EmulationBench:
    """Builds and times workloads; each answer is compared with the right one."""

    def __init__(self, sandbox: Sandbox, cache: Path) -> None:
        self._sandbox = sandbox
        self._emulator = Emulator(sandbox, cache)

    def times(self, workload: Workload, repeats: int = REPEATS) -> Times:
        """Time one workload in every way."""
        build = self._emulator.build(workload.source, workload.kernels, WAVE)
        plain, plain_on_two = self._plain(workload, repeats)
        checked = self._checked(workload, build, CHECKED_REPEATS)
        with ThreadPoolExecutor(2) as pool:
            started = [pool.submit(self._checked, workload, build, CHECKED_REPEATS) for _ in "ab"]
            both = [each.result() for each in started]
        return Times(
            workload.name,
            plain,
            plain_on_two,
            checked,
            sum(each.wall for each in both) / 4,
            min(self._whole_run(workload, build) for _ in range(3)),
        )

    def _plain(self, workload: Workload, repeats: int) -> tuple[Time, Time]:
        libraries = self._emulator.library_for_torch(workload.source, workload.kernels)
        argv, readonly = bare_interpreter()
        with temporary_box() as box:
            (box / "runtime.so").write_bytes(libraries.runtime)
            (box / "kernel.so").write_bytes(libraries.kernels)
            (box / "job.json").write_text(json.dumps(_plain_job(workload, repeats)))
            with (box / "buffers.bin").open("wb") as file:
                for array in workload.buffers.values():
                    file.write(array.tobytes())
            self._run(workload, [*argv, "/program.py"], readonly, "plain", box)
            written = np.frombuffer(read_result(box, "outputs.bin", _MOST_BYTES), np.float32)
            workload.check(written[-workload.buffers[workload.output].size :], "plain")
            one, two = _TIMES_BY_PROCESSES.validate_json(_times(box))
            return _fastest(one), _fastest(two)

    def _checked(self, workload: Workload, build: EmulatorBuild, repeats: int) -> Time:
        runtime = self._emulator.library_for_torch(workload.source, workload.kernels).runtime
        job = _checked_job(workload, build, repeats)
        with temporary_box() as box, temporary_box() as given:
            (*interpreter, driver, place), readonly = command(given)
            readonly["/program/driver.pyc"] = readonly.pop(driver)
            write_job(job, runtime, box, given)
            argv = [*interpreter, "/program/program.py", place]
            self._run(workload, argv, readonly, "checked", box)
            *_, last = split_outputs(job, read_result(box, "outputs.bin", _MOST_BYTES))
            workload.check(last[workload.output], "checked")
            return _fastest(_TIMES.validate_json(_times(box)))

    def _run(
        self,
        workload: Workload,
        argv: Sequence[str],
        readonly: Mapping[str, Path],
        how: str,
        box: Path,
    ) -> None:
        program = Path(__file__).with_name(f"{how}_program.py")
        [place] = [word for word in argv if word.endswith("/program.py")]
        done = self._sandbox.run(
            argv, box=box, readonly={**readonly, place: program}, limits=_LIMITS
        )
        _refuse_failure(done, workload, how)

    def _whole_run(self, workload: Workload, build: EmulatorBuild) -> float:
        begun = time.perf_counter()
        run = self._emulator.run(
            build,
            workload.plan,
            workload.buffers,
            workload.scalars,
            outputs=[workload.output],
            uninitialised=workload.written,
        )
        seconds = time.perf_counter() - begun
        if run.status is not Status.PASSED:
            raise SystemExit(f"{workload.name}: {run.findings[0].message}")
        workload.check(run.outputs[workload.output], "a checked run")
        return seconds


def _fastest(times: Sequence[Time]) -> Time:
    return Time(min(each.wall for each in times), min(each.processor for each in times))


def _times(box: Path) -> bytes:
    return read_result(box, "times.json", _MOST_BYTES)


def _refuse_failure(done: Completed, workload: Workload, how: str) -> None:
    if done.returncode != 0 or done.timed_out:
        said = done.stderr.strip()[-500:] or f"status {done.returncode}"
        raise SystemExit(f"{workload.name}, {how}: {said}")


def _plain_job(workload: Workload, repeats: int) -> dict[str, object]:
    names = list(workload.buffers)
    return {
        "sizes": [array.nbytes for array in workload.buffers.values()],
        "output": names.index(workload.output),
        "processes": [1, 2],
        "repeats": repeats,
        "launches": [
            {
                "kernel": launch.kernel,
                "grid": launch.grid,
                "block": launch.block,
                "shared_bytes": launch.shared_bytes,
                "arguments": [
                    ("buffer", names.index(name))
                    if name in workload.buffers
                    else (workload.scalars[name].dtype.name, workload.scalars[name].item())
                    for name in launch.args
                ],
            }
            for launch in workload.launches
        ],
    }


def _checked_job(workload: Workload, build: EmulatorBuild, repeats: int) -> Job:
    return Job(
        build,
        workload.plan,
        [workload.buffers] * repeats,
        workload.scalars,
        outputs=[workload.output],
        uninitialised=workload.written,
        watched=(),
        reverse=False,
        samples=(),
        conditions="",
        profile=False,
    )
