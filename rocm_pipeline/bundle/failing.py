"""What a failing kernel was given, wrote and should have written, as arrays to look at."""

import io

import numpy as np

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.cases import draw_inputs, scalar_values
from rocm_pipeline.lab.emulator import BuildFailed, Emulator
from rocm_pipeline.lab.evidence import CaseRecord, Evidence, Status
from rocm_pipeline.lab.execution import allocate
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.spec import Target

MOST_CASES = 3
MOST_BYTES = 4 << 20
"""Arrays of one case together; a larger case is left out, and `evidence.json` still names it."""
_AFTER_RUN = (Status.WRONG_VALUE, Status.NONFINITE, Status.CHEAT)
"""Failures of a run that came to its end, so that there is something that it wrote."""


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
    run = emulator.run(
        build,
        bound,
        memory.buffers,
        scalar_values(target, record.case),
        outputs=target.outputs,
        uninitialised=memory.uninitialised,
        reverse=record.lane_order == "reverse",
    )
    return run.outputs


def _npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
