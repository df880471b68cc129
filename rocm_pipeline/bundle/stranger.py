"""Targets that came in a bundle: their reference is code of somebody unknown.

The reference of a target that is installed here is this machine's own and runs in the harness, as
always. Any other is never given to the harness: what the harness gets is the same target with our
own reference in its place, which has the stranger's run in the sandbox, a process for each call.
So there is no way through the harness on which the stranger's text is executed outside.
"""

import json
import tempfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from rocm_pipeline.bundle.folder import refusal
from rocm_pipeline.bundle.inside import reference as inside
from rocm_pipeline.errors import one_line
from rocm_pipeline.integration.interpreter import interpreter
from rocm_pipeline.lab.sandbox import (
    Completed,
    Limits,
    ResultRefused,
    Sandbox,
    read_array,
    temporary_box,
)
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.spec import Target

MOST_TARGET_BYTES = 1 << 20
MOST_CASES = 64
MOST_CASE_BYTES = 4 << 30
"""All tensors of one case together."""
MOST_OPERATIONS = 1 << 30
"""What the emulator may be asked to do for one held-out case."""

_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What a document raises whose JSON is not that of a target."""
_MODULE = "rocm_pipeline.bundle.inside.reference"
_JOB = "/job"
_OUTPUTS = "outputs"
_MOST_SAID = 500
_SECONDS = 60.0
_MEMORY_FACTOR = 16
_BASE_MEMORY = 4 << 30

_OURS = """\
from rocm_pipeline.bundle.stranger import run_in_sandbox

SOURCE = {source!r}


def reference(inputs, symbols, scalars):
    return run_in_sandbox(SOURCE, {outputs!r}, inputs, symbols, scalars)
"""


def contained(target: Target) -> Target:
    """Return `target` with a reference of ours that has its own run in the sandbox."""
    ours = _OURS.format(source=target.reference, outputs=list(target.outputs))
    return target.model_copy(update={"reference": ours})


def run_in_sandbox(
    source: str,
    outputs: list[str],
    inputs: Mapping[str, Array],
    symbols: Mapping[str, int],
    scalars: Mapping[str, float],
) -> dict[str, Array]:
    """Return what the stranger's `reference` gives; ValueError with its last words when none."""
    python = interpreter()
    size = sum(array.nbytes for array in inputs.values())
    limits = Limits(
        wall_seconds=_SECONDS,
        cpu_seconds=int(_SECONDS),
        memory_bytes=_BASE_MEMORY + _MEMORY_FACTOR * size,
        file_bytes=MOST_CASE_BYTES,
    )
    with tempfile.TemporaryDirectory(prefix="reference-") as folder, temporary_box() as box:
        # below the temporary folder, which only its owner may enter
        job = Path(folder) / "job"
        job.mkdir()
        _write_job(job, source, outputs, inputs, symbols, scalars)
        done = Sandbox.detect().run(
            python.argv(_MODULE, _JOB),
            box=box,
            readonly={**python.readonly, _JOB: job},
            environment=python.environment,
            limits=limits,
        )
        if done.returncode != 0:
            raise ValueError("took too long" if done.timed_out else _last_words(done))
        return {name: _array(box, f"{name}.npy") for name in outputs}


def check_bounds(document: bytes, folder: str) -> None:
    """Refuse a target file so large that reading it, or judging anything by it, would not end.

    Looks at the JSON alone, before any of it is evaluated.
    """
    if len(document) > MOST_TARGET_BYTES:
        raise refusal(f"the target is larger than {MOST_TARGET_BYTES} bytes", folder)
    try:
        target = json.loads(document)
        cases = max(len(target["public_cases"]), len(target["timing_cases"]))
        operations = int(target["emulation_operations"])
    except _MALFORMED as error:
        raise refusal(f"the target is malformed ({error})", folder) from error
    if cases > MOST_CASES or operations > MOST_OPERATIONS:
        raise refusal(
            f"the target asks for {cases} cases and {operations} operations a case; at most "
            f"{MOST_CASES} and {MOST_OPERATIONS} are run",
            folder,
        )


def check_sizes(target: Target, folder: str) -> None:
    """Refuse a target whose cases would not fit in memory."""
    for case in (*target.public_cases, *target.timing_cases):
        size = sum(prod(t.shape) * t.dtype.itemsize for t in target.tensors_for(case))
        if size > MOST_CASE_BYTES:
            raise refusal(f"the case {case.name} needs {size} bytes", folder)


def _write_job(
    folder: Path,
    source: str,
    outputs: list[str],
    inputs: Mapping[str, Array],
    symbols: Mapping[str, int],
    scalars: Mapping[str, float],
) -> None:
    values: dict[str, Any] = {
        "inputs": list(inputs),
        _OUTPUTS: outputs,
        "symbols": dict(symbols),
        "scalars": dict(scalars),
    }
    (folder / inside.VALUES).write_text(json.dumps(values), encoding="utf-8")
    (folder / inside.SOURCE).write_text(source, encoding="utf-8")
    for name, array in inputs.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def _last_words(done: Completed) -> str:
    """Return the last line that it said, where Python names the exception; quoted, as it is."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return f"it said {one_line(lines[-1], _MOST_SAID)!r}" if lines else f"status {done.returncode}"


def _array(box: Path, name: str) -> Array:
    try:
        return read_array(box, name, MOST_CASE_BYTES)
    except ResultRefused as error:
        raise ValueError(str(error)) from error
