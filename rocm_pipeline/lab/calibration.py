"""What tolerance an honest implementation needs: measured, so that nobody has to guess.

Two honest implementations run over held-out draws: the target's baseline on the emulator, and the
reference itself computed in float32 and rounded once to the output's type. Their worst error, in
units of the tolerance, says how much room the tolerance leaves.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.cases import Trial, draw_inputs, held_out_trials
from rocm_pipeline.lab.controls import ROOM
from rocm_pipeline.lab.execution import CaseRunner
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.harness_version import harness_sha256
from rocm_pipeline.lab.numerics import compare
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Target
from rocm_pipeline.targets.subject import WAVES, Calibration, Role, Tolerance, Wave

HOW = "the baseline on the emulator, and the reference in float32 rounded once"


@dataclass(frozen=True)
class _Error:
    dtype: DType
    ratio: float


def calibrate(target: Target, harness: Harness, draws: int, seed: int) -> dict[DType, Calibration]:
    """Measure honest implementations on `draws` held-out cases; return what to record, by type.

    Raises `UserError` when the baseline fails for another reason than its values.
    """
    trials = _trials(target, draws, seed)
    errors = [*_in_float32(target, trials), *_baseline(target, harness, trials)]
    found: dict[DType, Calibration] = {}
    for dtype, tolerance in target.tolerance.items():
        ratios = [error.ratio for error in errors if error.dtype is dtype]
        if ratios:
            cases = sum(_writes(target, trial, dtype) for trial in trials)
            found[dtype] = _record(tolerance, max(ratios), cases)
    return found


def _trials(target: Target, draws: int, seed: int) -> list[Trial]:
    trials: list[Trial] = []
    while len(trials) < draws:
        trials += held_out_trials(target, seed + len(trials))
    return trials[:draws]


def _in_float32(target: Target, trials: Sequence[Trial]) -> list[_Error]:
    reference = Reference(target)
    errors: list[_Error] = []
    for trial in trials:
        inputs = draw_inputs(target, trial.case, trial.seed)
        expected = reference.outputs(trial.case, inputs)
        narrow = reference.computed_in(np.float32, trial.case, inputs)
        for tensor in target.tensors_for(trial.case):
            tolerance = target.tolerance.get(tensor.dtype)
            if tensor.role is Role.INPUT or tolerance is None or tensor.dtype is DType.FLOAT64:
                continue
            given = tensor.dtype.pack(narrow[tensor.name])
            verdict = compare(tensor.name, given, expected[tensor.name], tensor.dtype, tolerance)
            ratio = verdict.worst_ratio
            errors.append(_Error(tensor.dtype, math.inf if ratio is None else ratio))
    return errors


def _baseline(target: Target, harness: Harness, trials: Sequence[Trial]) -> list[_Error]:
    baseline = Candidate(
        target=target.name, source=target.baseline.source, launch_plan=target.baseline.launch_plan
    )
    kernels = target.kernel_names(baseline.launch_plan)
    builds = {wave: harness.emulator.build(baseline.source, kernels, wave) for wave in WAVES}
    runner = CaseRunner(target, baseline.launch_plan, harness.emulator)

    def measure(numbered: tuple[int, Trial]) -> list[_Error]:
        number, trial = numbered
        wave: Wave = WAVES[number % 2]
        ratios = runner.ratios(builds[wave], trial, wave)
        if isinstance(ratios, str):
            raise UserError(
                f"the baseline fails: {ratios}", where=f"target {target.name}", fix="Mend it."
            )
        return [_Error(dtype, ratio) for dtype, ratio in ratios.items()]

    with ThreadPoolExecutor(2) as pool:
        return [error for errors in pool.map(measure, enumerate(trials)) for error in errors]


def _writes(target: Target, trial: Trial, dtype: DType) -> bool:
    tensors = target.tensors_for(trial.case)
    return any(t.role is not Role.INPUT and t.dtype is dtype for t in tensors)


def _record(tolerance: Tolerance, worst: float, draws: int) -> Calibration:
    return Calibration(
        how=HOW,
        draws=draws,
        worst_ratio=round_up(worst),
        suggested_absolute=round_up(ROOM * worst * tolerance.absolute),
        suggested_relative=round_up(ROOM * worst * tolerance.relative),
        harness=harness_sha256()[:16],
    )


def round_up(value: float) -> float:
    """Return `value` with two digits, rounded away from zero."""
    if value <= 0 or not math.isfinite(value):
        return value
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.1e}")
