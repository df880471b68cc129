"""Reading what a run on a device left, of which nothing is believed unless it is whole."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rocm_pipeline.errors import one_line
from rocm_pipeline.lab.devices.job import DeviceJob, bytes_of
from rocm_pipeline.lab.devices.model import DeviceFacts
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.lab.sandbox import ResultRefused, read_json, read_result
from rocm_pipeline.targets.dtypes import Array

_MOST_JSON = 4 << 20


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Run(_Frozen):
    """One run of the schedule."""

    program: int
    set: int
    milliseconds: float = Field(ge=0)
    digest: str
    """Of its outputs."""
    changed: tuple[int, ...]
    """Buffers that no kernel may write and that do not hold what they held."""
    overrun: tuple[int, ...]
    """Buffers next to which a kernel wrote."""


class _Result(_Frozen):
    facts: DeviceFacts
    hashes: tuple[str, ...]
    runs: tuple[Run, ...]
    written: tuple[tuple[int, int, str], ...]
    clocks: dict[str, tuple[float, float]]


class _Error(_Frozen):
    error: str


class _Facts(_Frozen):
    facts: DeviceFacts


Key = tuple[int, int, str]
"""Program, set and digest of its outputs."""


@dataclass(frozen=True)
class DeviceRun:
    """What came of a job. Without findings every run of the schedule ended."""

    findings: tuple[Finding, ...]
    facts: DeviceFacts | None = None
    runs: tuple[Run, ...] = ()
    outputs: Mapping[Key, Mapping[str, Array]] | None = None
    """Every different output by what left it."""
    clocks: Mapping[str, tuple[float, float]] | None = None
    """Lowest and highest frequency in MHz by name."""

    @classmethod
    def failed(cls, status: Status, message: str) -> "DeviceRun":
        return cls((Finding(status=status, message=message),))


def read_facts(box: Path) -> DeviceFacts | str:
    """Return the device's facts, or why there are none."""
    try:
        found = read_json(box, "result.json", _MOST_JSON)
        if isinstance(found, dict) and "error" in found:
            return one_line(_Error.model_validate(found).error)
        return _Facts.model_validate(found).facts
    except (ResultRefused, ValidationError) as error:
        return one_line(str(error))


def read_run(job: DeviceJob, box: Path) -> DeviceRun:
    """Return what a run that ended by itself left in `box`."""
    try:
        found = read_json(box, "result.json", _MOST_JSON)
        if isinstance(found, dict) and "error" in found:
            return _refused(_Error.model_validate(found).error)
        result = _Result.model_validate(found)
        _require_whole(job, result)
        outputs = _outputs(job, result, box)
    except (ResultRefused, ValidationError, ValueError) as error:
        return DeviceRun.failed(Status.CRASHED, f"the run left no usable result: {error}")
    findings = (*_foreign(job, result), *_trespasses(job, result))
    return DeviceRun(findings, result.facts, result.runs, outputs, result.clocks)


def _refused(error: str) -> DeviceRun:
    """What the driver did not do; a kernel that asks for more than the device has is no defect."""
    too_large = "too much shared data" in error
    return DeviceRun.failed(Status.UNSUPPORTED if too_large else Status.CRASHED, error)


def _require_whole(job: DeviceJob, result: _Result) -> None:
    if tuple((run.program, run.set) for run in result.runs) != job.schedule:
        raise ValueError("not every run of the schedule is there, or in another order")
    if len(result.hashes) != len(job.plans):
        raise ValueError("not every program says what it was made from")
    left = {(run.program, run.set, run.digest) for run in result.runs}
    if left != set(result.written) or len(left) != len(result.written):
        raise ValueError("the outputs that are there are not those of the runs")


def _outputs(job: DeviceJob, result: _Result, box: Path) -> dict[Key, dict[str, Array]]:
    size = job.output_bytes
    data = memoryview(read_result(box, "outputs.bin", size * len(result.written)))
    if len(data) != size * len(result.written):
        raise ValueError(f"outputs.bin has {len(data)} bytes")
    found: dict[Key, dict[str, Array]] = {}
    for number, key in enumerate(result.written):
        part = data[number * size : (number + 1) * size]
        if hashlib.sha256(part).hexdigest() != key[2]:
            raise ValueError("outputs.bin holds other outputs than were hashed")
        found[key] = _arrays(job, part)
    return found


def _arrays(job: DeviceJob, data: memoryview) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    begin = 0
    for tensor in job.outputs:
        end = begin + bytes_of(tensor)
        flat = np.frombuffer(data[begin:end], tensor.dtype.numpy)
        arrays[tensor.name] = flat.reshape(tensor.shape)
        begin = end
    return arrays


def _foreign(job: DeviceJob, result: _Result) -> list[Finding]:
    """A module that carries a hash in its constants must carry that of its source."""
    return [
        Finding(status=Status.CHEAT, message="the module on the device is of another source")
        for plan, carried in zip(job.plans, result.hashes, strict=True)
        if carried and carried != plan.program.source_sha256
    ]


def _trespasses(job: DeviceJob, result: _Result) -> list[Finding]:
    names = job.buffer_names
    numbers = {number for run in result.runs for number in (*run.changed, *run.overrun)}
    if not all(0 <= number < len(names) for number in numbers):
        return [Finding(status=Status.CRASHED, message="the run names a buffer that is not there")]
    overrun = {number for run in result.runs for number in run.overrun}
    changed = {number for run in result.runs for number in run.changed}
    return [
        *(
            Finding(
                status=Status.OUT_OF_BOUNDS,
                message=f"the kernel wrote within 4096 bytes of '{names[n]}', outside it",
                buffer=names[n],
            )
            for n in sorted(overrun)
        ),
        *(
            Finding(
                status=Status.CHEAT,
                message=f"the kernel wrote to its input '{names[n]}'",
                buffer=names[n],
            )
            for n in sorted(changed)
        ),
    ]
