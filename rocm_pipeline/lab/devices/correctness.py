"""T3: a candidate's outputs on a device against the harness's own reference."""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.cases import (
    Trial,
    draw_inputs,
    held_out_trials,
    public_trials,
    scalar_values,
    timed_trials,
)
from rocm_pipeline.lab.devices.job import DeviceJob, LoadedPlan
from rocm_pipeline.lab.devices.model import Absent, DeviceFacts, Kind, Program
from rocm_pipeline.lab.devices.records import CorrectnessRecord
from rocm_pipeline.lab.devices.results import DeviceRun
from rocm_pipeline.lab.evidence import CaseRecord, Finding, Status
from rocm_pipeline.lab.execution import Judgement, case_record, judge_outputs
from rocm_pipeline.lab.plan_check import check_plan
from rocm_pipeline.lab.policy import check_source
from rocm_pipeline.lab.reference import Places, Reference
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundPlan, LaunchPlanError
from rocm_pipeline.targets.subject import Case, Subject, Wave

WHOLE_OPERATIONS = 1_000_000_000
"""Operations of a case up to which the reference computes every element."""
MOST_PLACES = 4096
"""Elements of each output that are compared of larger cases, drawn from the record's seed."""


class OnDevice(Protocol):
    """What a candidate can be run on: `Device` and `CpuDevice`."""

    @property
    def kind(self) -> Kind: ...
    @property
    def sandbox(self) -> str: ...
    def describe(self) -> DeviceFacts | Absent: ...
    def compile(self, source: str, facts: DeviceFacts) -> Program | Finding: ...
    def run(self, job: DeviceJob, wall_seconds: float = 60) -> DeviceRun: ...


class Judge:
    """Compares what a device wrote with the reference of one target."""

    def __init__(self, target: Subject, seed: int) -> None:
        self._target = target
        self._reference = Reference(target)
        self._seed = seed

    def judge(
        self, case: Case, inputs: Mapping[str, Array], outputs: list[Mapping[str, Array]]
    ) -> list[Judgement]:
        """Judge several outputs that all came from these inputs."""
        target = self._target
        if target.work_of(case)[1] <= WHOLE_OPERATIONS:
            expected = self._reference.outputs(case, inputs)
            return [judge_outputs(target, case, actual, expected) for actual in outputs]
        places = self._places(case)
        expected = self._reference.at(case, inputs, places)
        chosen = [{name: out[name][where] for name, where in places.items()} for out in outputs]
        return [judge_outputs(target, case, actual, expected, places) for actual in chosen]

    def _places(self, case: Case) -> dict[str, Places]:
        rng = np.random.default_rng(self._seed)
        found: dict[str, Places] = {}
        for tensor in self._target.tensors_for(case):
            if tensor.name in self._target.outputs:
                size = int(np.prod(tensor.shape))
                chosen = np.unique(rng.integers(0, size, min(size, MOST_PLACES)))
                found[tensor.name] = np.unravel_index(chosen, tensor.shape)
        return found


def check_on_device(
    device: OnDevice, candidate: Candidate, target: Subject, *, seed: int | None = None
) -> CorrectnessRecord:
    """Run the public, held-out and timed cases and judge each; stops at the first that is wrong.

    `seed` repeats a record; a first one leaves it out, so that held-out cases come from a secret.
    """
    seed = secrets.randbits(62) if seed is None else seed
    facts = device.describe()
    blank: dict[str, Any] = {
        "target": target.name,
        "kind": device.kind,
        "candidate": candidate.id,
        "source_sha256": candidate.source_sha256,
        "plan_sha256": candidate.plan_sha256,
    }
    if isinstance(facts, Absent):
        return CorrectnessRecord(**blank, status=Status.NOT_RUN, reason=facts.reason)
    blank |= {"device": facts, "seed": seed, "sandbox": device.sandbox}
    program = compiled(device, candidate, target, facts)
    if isinstance(program, Finding):
        return CorrectnessRecord(**blank, status=program.status, findings=(program,))
    trials = _trials(target, seed, device.kind)
    blank |= {
        "program_sha256": hashlib.sha256(program.image).hexdigest(),
        "executions": len(trials),
    }
    judge = Judge(target, seed)
    records: list[CaseRecord] = []
    for trial in trials:
        records.append(_run(device, facts, program, candidate, target, trial, judge))
        wrong = records[-1].findings
        if wrong:
            return CorrectnessRecord(
                **blank, cases=tuple(records), status=wrong[0].status, findings=wrong
            )
    return CorrectnessRecord(**blank, cases=tuple(records), status=Status.PASSED)


def compiled(
    device: OnDevice, candidate: Candidate, target: Subject, facts: DeviceFacts
) -> Program | Finding:
    """Compile a candidate that keeps to the rules; say what keeps it from running otherwise."""
    broken = (*check_plan(candidate.launch_plan, target), *check_source(candidate, target))
    return broken[0] if broken else device.compile(candidate.source, facts)


def wave_of(facts: DeviceFacts) -> Wave:
    return 32 if facts.wave == 32 else 64


def bound(
    candidate: Candidate, target: Subject, case: Case, facts: DeviceFacts
) -> BoundPlan | Finding:
    """Evaluate the plan; a block may not ask for more LDS than the device has."""
    try:
        plan = target.bind(candidate.launch_plan, case, wave_of(facts))
    except (LaunchPlanError, ValueError) as error:
        return Finding(status=Status.POLICY_VIOLATION, message=f"launch plan: {error}")
    most = max(launch.shared_bytes for launch in plan.launches)
    if facts.shared_bytes and most > facts.shared_bytes:
        message = f"{most} bytes of LDS for a block; {facts.label} has {facts.shared_bytes}"
        return Finding(status=Status.UNSUPPORTED, message=message)
    return plan


def _trials(target: Subject, seed: int, kind: Kind) -> list[Trial]:
    small = [*public_trials(target, seed), *held_out_trials(target, seed)]
    return small if kind is Kind.CPU else [*small, *timed_trials(target, seed)]


def _run(
    device: OnDevice,
    facts: DeviceFacts,
    program: Program,
    candidate: Candidate,
    target: Subject,
    trial: Trial,
    judge: Judge,
) -> CaseRecord:
    case, wave = trial.case, wave_of(facts)
    plan = bound(candidate, target, case, facts)
    if isinstance(plan, Finding):
        return case_record(trial, wave, False, Judgement((plan,)))
    inputs = draw_inputs(target, case, trial.seed)
    run = device.run(
        DeviceJob(
            (LoadedPlan(program, plan),),
            target.tensors_for(case),
            (inputs,),
            scalar_values(target, case),
            schedule=((0, 0),),
        )
    )
    if run.findings or not run.outputs:
        return case_record(trial, wave, False, Judgement(run.findings))
    return case_record(trial, wave, False, judge.judge(case, inputs, list(run.outputs.values()))[0])
