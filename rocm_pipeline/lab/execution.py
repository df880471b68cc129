"""Running a candidate on one case on the CPU emulator and judging what it wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rocm_pipeline.lab.cases import Trial, draw_inputs, poisoned, scalar_values
from rocm_pipeline.lab.emulator import Emulator, EmulatorBuild, EmulatorRun, SiteKind
from rocm_pipeline.lab.evidence import CaseRecord, Finding, Status
from rocm_pipeline.lab.numerics import compare
from rocm_pipeline.lab.reference import Places, Reference
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.launch_plan import BoundPlan, LaunchPlan, LaunchPlanError
from rocm_pipeline.targets.subject import Case, Role, Subject, Wave


@dataclass(frozen=True)
class Memory:
    """Every buffer a plan touches, before its first launch."""

    inputs: dict[str, Array]
    buffers: dict[str, Array]
    """Inputs, poisoned outputs and poisoned workspace, by name."""
    uninitialised: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """What comparing outputs with the reference found."""

    findings: tuple[Finding, ...]
    largest: float = 0.0
    """Largest absolute error."""
    worst: float = 0.0
    """Largest error over what the tolerance allows there."""
    elements: int = 0
    """Elements that were compared."""


def allocate(target: Subject, plan: BoundPlan, case: Case, inputs: dict[str, Array]) -> Memory:
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


def read_only(target: Subject) -> tuple[str, ...]:
    """Return the tensors that no kernel may write."""
    return tuple(name for name, spec in target.tensors.items() if spec.role is Role.INPUT)


def run_conditions(seed: int, wave: int, reverse: bool) -> str:
    """Say under which conditions a trial runs: others for each wave size, and in reverse."""
    return f"{seed} {wave} {'reverse' if reverse else 'forward'}"


def judge_outputs(
    target: Subject,
    case: Case,
    actual: Mapping[str, Array],
    expected: Mapping[str, Array],
    places: Mapping[str, Places] | None = None,
) -> Judgement:
    """Compare every output; one that is missing on either side is an error, never a pass.

    With `places` both sides hold only those elements, in one order.
    """
    findings: list[Finding] = []
    largest, worst, elements = 0.0, 0.0, 0
    for tensor in target.tensors_for(case):
        if tensor.role is Role.INPUT:
            continue
        verdict = compare(
            tensor.name,
            actual[tensor.name],
            expected[tensor.name],
            tensor.dtype,
            target.tolerance_for(case).get(tensor.dtype),
            places[tensor.name] if places else None,
        )
        if verdict.finding:
            findings.append(verdict.finding)
        largest = max(largest, verdict.max_absolute_error or 0.0)
        worst = max(worst, verdict.worst_ratio or 0.0)
        elements += expected[tensor.name].size
    return Judgement(tuple(findings), largest, worst, elements)


def case_record(
    trial: Trial, wave: Wave, reverse: bool, judgement: Judgement, blocks: int | None = None
) -> CaseRecord:
    """Return the record of one execution; `blocks` when only so many of the last launch ran."""
    findings = judgement.findings
    return CaseRecord(
        case=trial.case,
        origin=trial.origin,
        seed=trial.seed,
        wave=wave,
        lane_order="reverse" if reverse else "forward",
        status=findings[0].status if findings else Status.PASSED,
        max_absolute_error=None if findings else judgement.largest,
        worst_ratio=None if findings else judgement.worst,
        elements=None if findings else judgement.elements,
        blocks=blocks,
        findings=findings,
    )


def input_findings(run: EmulatorRun) -> list[Finding]:
    """Return a finding for each input that the kernels changed."""
    return [
        Finding(status=Status.CHEAT, message=f"the kernel wrote to its input '{name}'", buffer=name)
        for name in run.changed
    ]


class CaseRunner:
    """Judges one launch plan of one target, case by case; safe to call from several threads."""

    def __init__(self, target: Subject, plan: LaunchPlan, emulator: Emulator) -> None:
        self._target = target
        self._plan = plan
        self._emulator = emulator
        self._reference = Reference(target)

    def run(
        self,
        build: EmulatorBuild,
        trial: Trial,
        wave: Wave,
        reverse: bool,
        *,
        hurried: bool = False,
    ) -> CaseRecord:
        """Run one trial; the record carries its errors when it passed, else its findings.

        A hurried run is given up sooner.
        """
        bound = self._bind(trial, wave)
        if isinstance(bound, Finding):
            return case_record(trial, wave, reverse, Judgement((bound,)))
        inputs = draw_inputs(self._target, trial.case, trial.seed)
        run = self._execute(build, bound, trial, [inputs], reverse, hurried)
        judgement = self._judge(trial.case, [inputs], run)
        return case_record(trial, wave, reverse, judgement)

    def ratios(self, build: EmulatorBuild, trial: Trial, wave: Wave) -> dict[DType, float] | str:
        """Return the largest error over the tolerance by element type, also where it is above 1.

        A kernel that fails otherwise gives what was found, in words.
        """
        case = trial.case
        bound = self._bind(trial, wave)
        if isinstance(bound, Finding):
            return bound.message
        inputs = draw_inputs(self._target, case, trial.seed)
        run = self._execute(build, bound, trial, [inputs], reverse=False)
        if run.status is not Status.PASSED:
            return run.findings[0].message
        expected = self._reference.outputs(case, inputs)
        found: dict[DType, float] = {}
        for tensor in self._target.tensors_for(case):
            tolerance = self._target.tolerance_for(case).get(tensor.dtype)
            if tensor.role is Role.INPUT or tolerance is None:
                continue
            name = tensor.name
            verdict = compare(name, run.outputs[name], expected[name], tensor.dtype, tolerance)
            if verdict.worst_ratio is None:
                return verdict.finding.message if verdict.finding else f"{name} was not compared"
            found[tensor.dtype] = max(found.get(tensor.dtype, 0.0), verdict.worst_ratio)
        return found

    def run_twice(
        self, build: EmulatorBuild, trial: Trial, wave: Wave, *, hurried: bool = False
    ) -> tuple[CaseRecord, CaseRecord]:
        """Run a trial and another set of values, then both again the other way round.

        The second values lie where the first lay, in one process, so an answer remembered by
        address or by the number of calls is wrong. In a second process they come in the other
        order, at other addresses, with other leftovers in private memory, with blocks and lanes in
        reverse. Equal inputs must give equal
        bits, except that a kernel with atomics, which add in any order, need only be right.
        """
        bound = self._bind(trial, wave)
        if isinstance(bound, Finding):
            failed = Judgement((bound,))
            return (
                case_record(trial, wave, False, failed),
                case_record(trial, wave, True, failed),
            )
        case = trial.case
        values = [draw_inputs(self._target, case, trial.seed + i) for i in range(2)]
        first = self._execute(build, bound, trial, values, False, hurried)
        second = self._execute(build, bound, trial, values[::-1], True, hurried)
        judgement = self._judge(case, values, first)
        again = self._judge(case, values[::-1], second)
        if not judgement.findings and not again.findings:
            again = self._same_bits(build, case, again, first, second)
        return (
            case_record(trial, wave, False, judgement),
            case_record(trial, wave, True, again),
        )

    def _bind(self, trial: Trial, wave: Wave) -> BoundPlan | Finding:
        try:
            return self._target.bind(self._plan, trial.case, wave)
        except (LaunchPlanError, ValueError) as error:
            return Finding(status=Status.POLICY_VIOLATION, message=f"launch plan: {error}")

    def _execute(
        self,
        build: EmulatorBuild,
        bound: BoundPlan,
        trial: Trial,
        values: Sequence[dict[str, Array]],
        reverse: bool,
        hurried: bool = False,
    ) -> EmulatorRun:
        target, case = self._target, trial.case
        first, *later = [allocate(target, bound, case, inputs) for inputs in values]
        return self._emulator.run(
            build,
            bound,
            first.buffers,
            scalar_values(target, case),
            outputs=target.outputs,
            uninitialised=first.uninitialised,
            watched=read_only(target),
            reverse=reverse,
            later_rounds=[memory.buffers for memory in later],
            conditions=run_conditions(trial.seed, build.wave, reverse),
            hurried=hurried,
        )

    def _judge(
        self, case: Case, values: Sequence[Mapping[str, Array]], run: EmulatorRun
    ) -> Judgement:
        if run.status is not Status.PASSED:
            return Judgement(run.findings)
        rounds = (run.outputs, *run.later_outputs)
        judged = [
            judge_outputs(self._target, case, outputs, self._reference.outputs(case, inputs))
            for inputs, outputs in zip(values, rounds, strict=True)
        ]
        return Judgement(
            (*input_findings(run), *(f for each in judged for f in each.findings)),
            max(each.largest for each in judged),
            max(each.worst for each in judged),
            sum(each.elements for each in judged),
        )

    def _same_bits(
        self,
        build: EmulatorBuild,
        case: Case,
        judgement: Judgement,
        first: EmulatorRun,
        second: EmulatorRun,
    ) -> Judgement:
        if any(site.kind is SiteKind.ATOMIC for site in build.sites):
            return judgement
        types = {tensor.name: tensor.dtype for tensor in self._target.tensors_for(case)}
        forward = (first.outputs, *first.later_outputs)
        backward = (*second.later_outputs[::-1], second.outputs)
        findings = tuple(
            Finding(status=Status.NONDETERMINISTIC, message=message, buffer=name)
            for one, other in zip(forward, backward, strict=True)
            for name in self._target.outputs
            if (message := _difference(name, types[name], one[name], other[name]))
        )
        return Judgement(findings[:1], judgement.largest, judgement.worst, judgement.elements)


def _difference(name: str, dtype: DType, one: Array, other: Array) -> str | None:
    bits = f"u{one.itemsize}"
    different = one.view(bits) != other.view(bits)
    if not different.any():
        return None
    first = tuple(int(i) for i in np.argwhere(different)[0])
    one, other = dtype.unpack(one), dtype.unpack(other)
    return (
        f"equal inputs gave {name}{list(first)} = {one[first]:.9g} and {other[first]:.9g}: the "
        "answer depends on the order of blocks or lanes, on addresses, on what ran before, or "
        "on a local variable that nothing was written to"
    )
