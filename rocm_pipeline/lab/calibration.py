"""What tolerance an honest implementation needs: measured, so that nobody has to guess.

Two honest implementations run over held-out draws: the target's baseline on the emulator, and the
reference itself computed in float32 and rounded once to the output's type. Some of the baseline's
blocks run at the timed sizes, too, where sums are longest. The worst error, in units of the
tolerance, says how much room the tolerance leaves.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.cases import Trial, draw_inputs, held_out_trials, timed_trials
from rocm_pipeline.lab.controls import ROOM
from rocm_pipeline.lab.emulator import EmulatorBuild
from rocm_pipeline.lab.execution import CaseRunner
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.harness_version import harness_sha256
from rocm_pipeline.lab.numerics import compare
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.lab.sampled import SampledRunner
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Target
from rocm_pipeline.targets.subject import WAVES, Calibration, Role, Tolerance, Wave

HOW = "the baseline on the emulator, also at timed sizes, and the reference in float32 rounded once"
_WIDER = 1e3
"""A sample with an error above its tolerance has no figure, so samples get a wider one."""


@dataclass(frozen=True)
class _Error:
    dtype: DType
    ratio: float


def calibrate(target: Target, harness: Harness, draws: int, seed: int) -> dict[DType, Calibration]:
    """Measure honest implementations on `draws` held-out cases and the timed ones.

    Returns what to record, by type.

    Raises `UserError` when the baseline fails for another reason than its values.
    """
    held_out, timed = _trials(target, draws, seed), timed_trials(target, seed)
    source, plan = target.baseline.source, target.baseline.launch_plan
    kernels = target.kernel_names(plan)
    builds: dict[Wave, EmulatorBuild] = {
        wave: harness.emulator.build(source, kernels, wave) for wave in WAVES
    }
    errors = [
        *_in_float32(target, held_out),
        *_baseline(target, harness, builds, held_out),
        *_baseline_sampled(target, harness, builds, timed),
    ]
    found: dict[DType, Calibration] = {}
    for dtype, tolerance in target.tolerance.items():
        ratios = [error.ratio for error in errors if error.dtype is dtype]
        if ratios:
            cases = sum(dtype in _written(target, trial) for trial in (*held_out, *timed))
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


def _baseline(
    target: Target, harness: Harness, builds: Mapping[Wave, EmulatorBuild], trials: Sequence[Trial]
) -> list[_Error]:
    runner = CaseRunner(target, target.baseline.launch_plan, harness.emulator)

    def measure(trial: Trial, wave: Wave) -> list[_Error]:
        ratios = runner.ratios(builds[wave], trial, wave)
        if isinstance(ratios, str):
            raise _failure(target, ratios)
        return [_Error(dtype, ratio) for dtype, ratio in ratios.items()]

    return _of_all(measure, trials)


def _baseline_sampled(
    target: Target, harness: Harness, builds: Mapping[Wave, EmulatorBuild], trials: Sequence[Trial]
) -> list[_Error]:
    """Return the errors of samples; they have one figure for all outputs of a case."""
    sampler = SampledRunner(_widened(target), target.baseline.launch_plan, harness.emulator)

    def measure(trial: Trial, wave: Wave) -> list[_Error]:
        (run,) = sampler.run(builds, trial, [wave])
        if run.record.worst_ratio is None:
            raise _failure(target, run.record.findings[0].message)
        ratio = _WIDER * run.record.worst_ratio
        return [_Error(dtype, ratio) for dtype in _written(target, trial)]

    return _of_all(measure, trials)


def _of_all(
    measure: Callable[[Trial, Wave], list[_Error]], trials: Sequence[Trial]
) -> list[_Error]:
    """Measure every trial, with both wave sizes by turns."""
    waves = [WAVES[number % 2] for number in range(len(trials))]
    with ThreadPoolExecutor(2) as pool:
        return [error for errors in pool.map(measure, trials, waves) for error in errors]


def _widened(target: Target) -> Target:
    tolerance = {
        dtype: Tolerance(
            absolute=_WIDER * each.absolute,
            relative=_WIDER * each.relative,
            calibration=each.calibration,
        )
        for dtype, each in target.tolerance.items()
    }
    return target.model_copy(update={"tolerance": tolerance})


def _failure(target: Target, why: str) -> UserError:
    where = f"target {target.name}"
    return UserError(f"the baseline fails: {why}", where=where, fix="Mend it.")


def _written(target: Target, trial: Trial) -> set[DType]:
    return {t.dtype for t in target.tensors_for(trial.case) if t.role is not Role.INPUT}


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
