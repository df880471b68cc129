"""Running a candidate on one case on the CPU emulator and judging what it wrote."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rocm_pipeline.lab.cases import Trial, draw_inputs, poisoned, scalar_values
from rocm_pipeline.lab.emulator import Emulator, EmulatorBuild, EmulatorRun
from rocm_pipeline.lab.evidence import CaseRecord, Finding, Status
from rocm_pipeline.lab.numerics import compare
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundPlan, LaunchPlan, LaunchPlanError
from rocm_pipeline.targets.spec import Case, Role, Target

Wave = Literal[32, 64]


@dataclass(frozen=True)
class Memory:
    """Every buffer a plan touches, before its first launch."""

    inputs: dict[str, Array]
    buffers: dict[str, Array]
    """Inputs, poisoned outputs and poisoned workspace, by name."""
    uninitialised: tuple[str, ...]


def allocate(target: Target, plan: BoundPlan, case: Case, inputs: dict[str, Array]) -> Memory:
    """Return inputs, outputs and workspace; what a kernel must write first is poisoned."""
    buffers = dict(inputs)
    uninitialised: list[str] = []
    for tensor in target.tensors_for(case):
        if tensor.role is Role.OUTPUT:
            buffers[tensor.name] = poisoned(tensor.shape, tensor.dtype)
            uninitialised.append(tensor.name)
    for entry in plan.workspace:
        buffers[entry.name] = poisoned(entry.shape, entry.dtype)
        uninitialised.append(entry.name)
    return Memory(inputs, buffers, tuple(uninitialised))


class CaseRunner:
    """Judges one launch plan of one target, case by case; safe to call from several threads."""

    def __init__(self, target: Target, plan: LaunchPlan, emulator: Emulator) -> None:
        self._target = target
        self._plan = plan
        self._emulator = emulator
        self._reference = Reference(target)

    def run(self, build: EmulatorBuild, trial: Trial, wave: Wave, reverse: bool) -> CaseRecord:
        """Run one trial; the record carries its errors when it passed, else its findings."""
        target, case = self._target, trial.case
        try:
            bound = target.bind(self._plan, case, wave)
        except (LaunchPlanError, ValueError) as error:
            finding = Finding(status=Status.POLICY_VIOLATION, message=f"launch plan: {error}")
            return self._record(trial, wave, reverse, [finding])
        memory = allocate(target, bound, case, draw_inputs(target, case, trial.seed))
        run = self._emulator.run(
            build,
            bound,
            memory.buffers,
            scalar_values(target, case),
            outputs=(*target.inputs, *target.outputs),
            uninitialised=memory.uninitialised,
            reverse=reverse,
        )
        if run.status is not Status.PASSED:
            return self._record(trial, wave, reverse, list(run.findings))
        return self._compare(trial, wave, reverse, memory, run)

    def _compare(
        self, trial: Trial, wave: Wave, reverse: bool, memory: Memory, run: EmulatorRun
    ) -> CaseRecord:
        target, case = self._target, trial.case
        findings = _changed_inputs(target, memory.inputs, run.outputs)
        expected = self._reference.outputs(case, memory.inputs)
        largest, worst = 0.0, 0.0
        for tensor in target.tensors_for(case):
            if tensor.name not in expected:
                continue
            verdict = compare(
                tensor.name,
                run.outputs[tensor.name],
                expected[tensor.name],
                tensor.dtype,
                target.tolerance.get(tensor.dtype),
            )
            if verdict.finding:
                findings.append(verdict.finding)
            largest = max(largest, verdict.max_absolute_error or 0.0)
            worst = max(worst, verdict.worst_ratio or 0.0)
        return self._record(trial, wave, reverse, findings, largest, worst)

    @staticmethod
    def _record(
        trial: Trial,
        wave: Wave,
        reverse: bool,
        findings: list[Finding],
        largest: float = 0.0,
        worst: float = 0.0,
    ) -> CaseRecord:
        return CaseRecord(
            case=trial.case,
            origin=trial.origin,
            seed=trial.seed,
            wave=wave,
            lane_order="reverse" if reverse else "forward",
            status=findings[0].status if findings else Status.PASSED,
            max_absolute_error=None if findings else largest,
            worst_ratio=None if findings else worst,
            findings=tuple(findings),
        )


def _changed_inputs(
    target: Target, before: dict[str, Array], after: dict[str, Array]
) -> list[Finding]:
    changed = [
        name
        for name in target.inputs
        if target.tensors[name].role is Role.INPUT
        and not np.array_equal(before[name].view(np.uint8), after[name].view(np.uint8))
    ]
    return [
        Finding(
            status=Status.CHEAT,
            message=f"the kernel wrote to its input '{name}'",
            buffer=name,
        )
        for name in changed
    ]
