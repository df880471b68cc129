"""T4: a candidate against a baseline on one device, in interleaved pairs."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.cases import Trial, draw_inputs, scalar_values, timed_trials
from rocm_pipeline.lab.devices.correctness import Judge, OnDevice, bound, compiled
from rocm_pipeline.lab.devices.job import DeviceJob, LoadedPlan
from rocm_pipeline.lab.devices.model import Absent, DeviceFacts, Kind, Program
from rocm_pipeline.lab.devices.paired import Verdict, compare_pairs
from rocm_pipeline.lab.devices.records import CaseTiming, TimingRecord
from rocm_pipeline.lab.devices.results import DeviceRun
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.subject import ARCHITECTURES, Subject

PAIRS = 24
WARM_UP_PAIRS = 3
LEAST_FLUSH = 256 << 20
_INPUT_BYTES = 1 << 30
"""Of all sets of inputs of one job."""
_WALL_SECONDS = 300
_NO_TIME = "the emulator's times say nothing about a GPU"


def flush_bytes(facts: DeviceFacts) -> int:
    """Twice the largest cache: L2, or the Infinity Cache, which only our table of facts knows."""
    known = facts.architecture in ARCHITECTURES
    infinity = architecture(facts.architecture).infinity_cache_bytes if known else 0
    return max(LEAST_FLUSH, 2 * max(facts.cache_bytes, infinity))


def schedule(pairs: int, sets: int) -> tuple[tuple[int, int], ...]:
    """(program, set) of every run: warm-up pairs, then pairs that begin with A and B in turn.

    Both runs of a pair have the same inputs, and the next pair has others.
    """
    order: list[tuple[int, int]] = []
    for number in range(WARM_UP_PAIRS + pairs):
        which = number % sets
        first = (number - WARM_UP_PAIRS) % 2
        order += [(first, which), (1 - first, which)]
    return tuple(order)


def time_on_device(
    device: OnDevice,
    baseline: Candidate,
    candidate: Candidate,
    target: Subject,
    *,
    seed: int | None = None,
    pairs: int = PAIRS,
) -> TimingRecord:
    """Time both on every timing case of the target; public cases where it has none.

    PASSED: every case has a verdict. INCONCLUSIVE: some case has none. Outputs of every timed run
    are compared with the reference, and a wrong one makes the record fail.
    """
    seed = secrets.randbits(62) if seed is None else seed
    blank: dict[str, Any] = {
        "target": target.name,
        "kind": device.kind,
        "baseline": baseline.id,
        "candidate": candidate.id,
    }
    if device.kind is Kind.CPU:
        return TimingRecord(**blank, status=Status.NOT_RUN, reason=_NO_TIME)
    facts = device.describe()
    if isinstance(facts, Absent):
        return TimingRecord(**blank, status=Status.NOT_RUN, reason=facts.reason)
    trials = timed_trials(target, seed) or [
        Trial(case, "timed", seed + n) for n, case in enumerate(target.public_cases)
    ]
    blank |= {
        "device": facts,
        "seed": seed,
        "sandbox": device.sandbox,
        "cases_wanted": len(trials),
    }
    programs: list[Program] = []
    for each in (baseline, candidate):
        program = compiled(device, each, target, facts)
        if isinstance(program, Finding):
            return TimingRecord(**blank, status=program.status, findings=(program,))
        programs.append(program)
    timer = _Timer(device, facts, target, (baseline, candidate), programs, pairs)
    timings: list[CaseTiming] = []
    for trial in trials:
        timing = timer.time(trial)
        if not isinstance(timing, CaseTiming):
            return TimingRecord(**blank, status=timing[0].status, findings=tuple(timing))
        timings.append(timing)
    unclear = [t for t in timings if t.verdict is Verdict.INCONCLUSIVE]
    return TimingRecord(
        **blank,
        timings=tuple(timings),
        status=Status.INCONCLUSIVE if unclear else Status.PASSED,
        reason=f"{unclear[0].case.name}: {unclear[0].reason}" if unclear else "",
    )


class _Timer:
    """Times two programs on one device."""

    def __init__(
        self,
        device: OnDevice,
        facts: DeviceFacts,
        target: Subject,
        candidates: Sequence[Candidate],
        programs: Sequence[Program],
        pairs: int,
    ) -> None:
        self._device = device
        self._facts = facts
        self._target = target
        self._candidates = candidates
        self._programs = programs
        self._pairs = pairs

    def time(self, trial: Trial) -> CaseTiming | Sequence[Finding]:
        """Time one case, or say what is wrong."""
        target, case = self._target, trial.case
        plans: list[LoadedPlan] = []
        for each, program in zip(self._candidates, self._programs, strict=True):
            plan = bound(each, target, case, self._facts)
            if isinstance(plan, Finding):
                return [plan]
            plans.append(LoadedPlan(program, plan))
        inputs = self._inputs(trial)
        job = DeviceJob(
            tuple(plans),
            target.tensors_for(case),
            tuple(inputs),
            scalar_values(target, case),
            schedule(self._pairs, len(inputs)),
            flush_bytes(self._facts),
        )
        run = self._device.run(job, _WALL_SECONDS)
        wrong = run.findings or self._wrong_outputs(trial, inputs, run)
        if wrong or not run.outputs:
            return wrong
        return _case_timing(trial, job, run)

    def _inputs(self, trial: Trial) -> list[dict[str, Array]]:
        first = draw_inputs(self._target, trial.case, trial.seed)
        size = max(1, sum(array.nbytes for array in first.values()))
        count = max(2, min(WARM_UP_PAIRS + self._pairs, _INPUT_BYTES // size))
        later = (draw_inputs(self._target, trial.case, trial.seed + n) for n in range(1, count))
        return [first, *later]

    def _wrong_outputs(
        self, trial: Trial, inputs: Sequence[Mapping[str, Array]], run: DeviceRun
    ) -> Sequence[Finding]:
        judge = Judge(self._target, trial.seed)
        outputs = run.outputs or {}
        for which, values in enumerate(inputs):
            keys = [key for key in outputs if key[1] == which]
            judged = judge.judge(trial.case, values, [outputs[key] for key in keys])
            for (program, _, _), judgement in zip(keys, judged, strict=True):
                if judgement.findings:
                    who = ("the baseline", "the candidate")[program]
                    return [_said_of(who, finding) for finding in judgement.findings]
        return ()


def _said_of(who: str, finding: Finding) -> Finding:
    return finding.model_copy(update={"message": f"{who}, while timed: {finding.message}"})


def _case_timing(trial: Trial, job: DeviceJob, run: DeviceRun) -> CaseTiming | Sequence[Finding]:
    timed = run.runs[2 * WARM_UP_PAIRS :]
    pairs: list[tuple[float, float]] = []
    for one, other in zip(timed[::2], timed[1::2], strict=True):
        a, b = (one, other) if one.program == 0 else (other, one)
        pairs.append((1000 * a.milliseconds, 1000 * b.milliseconds))
    try:
        found = compare_pairs(pairs)
    except ValueError:
        message = "the device's clock gave a time of zero"
        return [Finding(status=Status.INCONCLUSIVE, message=message)]
    return CaseTiming(
        case=trial.case,
        verdict=found.verdict,
        reason=found.reason,
        speedup=found.speedup,
        low=found.low,
        high=found.high,
        spread=found.spread,
        pairs=tuple(pairs),
        flush_bytes=job.flush_bytes,
        input_sets=len(job.sets),
        checked_outputs=len(run.outputs or {}),
        clocks=dict(run.clocks or {}),
    )
