"""What a failing kernel was given, wrote and should have written, as arrays to look at."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rocm_pipeline.bundle.folder import refusal
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.cases import draw_inputs, scalar_values
from rocm_pipeline.lab.emulator import BuildFailed, Emulator
from rocm_pipeline.lab.evidence import CaseRecord, Evidence, Status
from rocm_pipeline.lab.execution import allocate, run_conditions
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.lab.sandbox import ResultRefused, plain_array
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.spec import Target

MOST_CASES = 3
MOST_BYTES = 4 << 20
"""Arrays of one case together; a larger case is left out, and `evidence.json` still names it."""
_AFTER_RUN = (Status.WRONG_VALUE, Status.NONFINITE, Status.CHEAT)
"""Failures of a run that came to its end, so that there is something that it wrote."""

_PATH = re.compile(r"case\d{1,6}/(input|expected|output)_[a-z][a-z0-9_]*\.npy")
_RELATIVE = 1e-3
_ABSOLUTE = 1e-6
"""How far values may move where a reference's last bits do (see `compare`)."""


@dataclass(frozen=True)
class Difference:
    """Where the arrays of a bundle differ from those that were made here."""

    words: str
    is_rounding: bool


def check_arrays(files: Mapping[str, bytes], folder: str) -> None:
    """Refuse what is no array by its name or its content; nobody may be made to load it."""
    for path, content in files.items():
        if _PATH.fullmatch(path) is None:
            raise refusal(f"{path} is no array of a failing case", folder)
        try:
            plain_array(content, path)
        except ResultRefused as error:
            raise refusal(str(error), folder) from error


def first_difference(
    recorded: Mapping[str, bytes], found: Mapping[str, bytes]
) -> Difference | None:
    """Return the first difference between arrays by path, the gravest first; None where equal."""
    for path in sorted(set(recorded) | set(found)):
        if path not in found:
            return Difference(f"{path} is not made here", is_rounding=False)
        if path not in recorded:
            return Difference(f"{path} is left out", is_rounding=False)
    different = [path for path in sorted(recorded) if recorded[path] != found[path]]
    for path in different:
        if not _are_close(recorded[path], found[path]):
            return Difference(f"{path} has other values", is_rounding=False)
    return (
        Difference(f"{different[0]} differs in rounding", is_rounding=True) if different else None
    )


def _are_close(recorded: bytes, found: bytes) -> bool:
    before, after = plain_array(recorded, "recorded"), plain_array(found, "found")
    same_form = (before.shape, before.dtype) == (after.shape, after.dtype)
    return same_form and np.allclose(before, after, _RELATIVE, _ABSOLUTE, equal_nan=True)


def failing_arrays(
    candidate: Candidate, target: Target, evidence: Evidence, emulator: Emulator
) -> dict[str, bytes]:
    """Run the first failing cases again and return their arrays, `.npy` files by path.

    `case<k>/input_<name>.npy`, `expected_<name>.npy` (float64) and, of a run that came to its end,
    `output_<name>.npy`; `<k>` counts the case records of the evidence from 0.
    """
    failed = [pair for pair in enumerate(evidence.cases) if pair[1].findings]
    files: dict[str, bytes] = {}
    for index, record in failed[:MOST_CASES]:
        arrays = _arrays(candidate, target, record, emulator)
        if sum(array.nbytes for array in arrays.values()) <= MOST_BYTES:
            files |= {f"case{index}/{name}.npy": _npy(array) for name, array in arrays.items()}
    return files


def _arrays(
    candidate: Candidate, target: Target, record: CaseRecord, emulator: Emulator
) -> dict[str, Array]:
    inputs = draw_inputs(target, record.case, record.seed)
    expected = Reference(target).outputs(record.case, inputs)
    found = {f"input_{name}": array for name, array in inputs.items()}
    found |= {f"expected_{name}": array for name, array in expected.items()}
    if record.status in _AFTER_RUN:
        written = _written(candidate, target, record, emulator, inputs)
        found |= {f"output_{name}": array for name, array in written.items()}
    return found


def _written(
    candidate: Candidate,
    target: Target,
    record: CaseRecord,
    emulator: Emulator,
    inputs: dict[str, Array],
) -> dict[str, Array]:
    try:
        kernels = target.kernel_names(candidate.launch_plan)
        build = emulator.build(candidate.source, kernels, record.wave)
        bound = target.bind(candidate.launch_plan, record.case, record.wave)
    except (BuildFailed, ValueError):
        return {}
    memory = allocate(target, bound, record.case, inputs)
    reverse = record.lane_order == "reverse"
    run = emulator.run(
        build,
        bound,
        memory.buffers,
        scalar_values(target, record.case),
        outputs=target.outputs,
        uninitialised=memory.uninitialised,
        reverse=reverse,
        conditions=run_conditions(record.seed, record.wave, reverse),
    )
    return run.outputs


def _npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
