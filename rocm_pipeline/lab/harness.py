"""The harness: judges a candidate from T0 to T2 and estimates its time.

It draws its own cases, owns the numbers and gives every verdict. Nothing a candidate prints,
returns or claims counts.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.cases import Trial, agent_trials, held_out_trials, public_trials
from rocm_pipeline.lab.controls import require_controls, run_controls
from rocm_pipeline.lab.emulator import BuildFailed, Emulator, EmulatorBuild
from rocm_pipeline.lab.evidence import (
    CaseRecord,
    CompileRecord,
    ControlRecord,
    Estimate,
    Evidence,
    Finding,
    Identity,
    Speedup,
    Status,
    Tier,
)
from rocm_pipeline.lab.execution import CaseRunner, Wave
from rocm_pipeline.lab.plan_check import check_plan
from rocm_pipeline.lab.policy import check_source
from rocm_pipeline.lab.prediction import PredictionFailedError, Predictor
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.lab.roofline import speedup
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.static_check import check
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.spec import Case, Target
from rocm_pipeline.versions import package_sha256

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

WAVES: tuple[Wave, ...] = (32, 64)


def harness_sha256() -> str:
    """Return the hash of everything of ours that a verdict depends on: code, headers, facts."""
    return package_sha256("rocm_pipeline.lab")


@dataclass(frozen=True)
class _Draft:
    """What has been found so far; becomes an Evidence at the first failure or at the end."""

    identity: Identity
    compiles: tuple[CompileRecord, ...] = ()
    controls: tuple[ControlRecord, ...] = ()

    def stop(
        self, tier: Tier | None, findings: Sequence[Finding], cases: Sequence[CaseRecord] = ()
    ) -> Evidence:
        return Evidence(
            identity=self.identity,
            tier=tier,
            status=findings[0].status,
            findings=tuple(findings),
            compiles=self.compiles,
            controls=self.controls,
            cases=tuple(cases),
        )


class Harness:
    """Judges candidates; one instance may be used from several threads."""

    def __init__(self, sandbox: Sandbox, cache: Path) -> None:
        self.toolchain = Toolchain(sandbox, cache / "device")
        self.emulator = Emulator(sandbox, cache / "emulator")
        self._predictor = Predictor(self.emulator)
        self._workers = os.cpu_count() or 1

    def identify(self, candidate: Candidate, target: Target) -> Identity:
        """Return the experiment that `judge` would be; equal identities need not run twice."""
        return Identity(
            target=target.name,
            target_sha256=hashlib.sha256(target.model_dump_json().encode()).hexdigest(),
            source_sha256=candidate.source_sha256,
            plan_sha256=candidate.plan_sha256,
            harness=harness_sha256()[:16],
            toolchain=self.toolchain.identity,
        )

    def judge(
        self,
        candidate: Candidate,
        target: Target,
        *,
        agent_cases: Sequence[Case] = (),
        baseline: Evidence | None = None,
    ) -> Evidence:
        """Return the evidence about `candidate`, up to the first tier it fails.

        `baseline` is the baseline's own evidence; with it a pass carries estimated speed-ups.
        """
        draft = _Draft(self.identify(candidate, target))
        findings = (
            *check_plan(candidate.launch_plan, target),
            *check_source(candidate, target),
        )
        if findings:
            return draft.stop(None, findings)
        compiles, _ = check(candidate, target, self.toolchain)
        draft = _Draft(draft.identity, compiles)
        failed = [record for record in compiles if record.status is not Status.PASSED]
        if failed:
            return draft.stop(Tier.T0, [_compile_finding(record) for record in failed])
        try:
            builds = self._build(candidate, target)
        except BuildFailed as error:
            finding = Finding(status=Status.COMPILE_ERROR, message=f"emulator: {error.diagnostics}")
            return draft.stop(Tier.T1, [finding])
        return self._run(draft, candidate, target, builds, agent_cases, baseline)

    def _build(self, candidate: Candidate, target: Target) -> dict[Wave, EmulatorBuild]:
        kernels = target.kernel_names(candidate.launch_plan)
        built = self._parallel(
            lambda wave: self.emulator.build(candidate.source, kernels, wave), WAVES
        )
        return dict(zip(WAVES, built, strict=True))

    def _run(
        self,
        draft: _Draft,
        candidate: Candidate,
        target: Target,
        builds: dict[Wave, EmulatorBuild],
        agent_cases: Sequence[Case],
        baseline: Evidence | None,
    ) -> Evidence:
        # drawn now, when the candidate is fixed; recorded in the evidence so anyone can repeat it
        seed = secrets.randbits(62)
        controls = run_controls(target, Reference(target), seed)
        require_controls(target, controls)
        draft = _Draft(draft.identity, draft.compiles, controls)
        runner = CaseRunner(target, candidate.launch_plan, self.emulator)
        cases = self._parallel(
            lambda run: runner.run(builds[run.wave], run.trial, run.wave, run.reverse),
            _schedule(target, agent_cases, seed),
        )
        wrong = [finding for record in cases for finding in record.findings]
        if wrong:
            return draft.stop(Tier.T1, _distinct(wrong), cases)
        try:
            estimates = self._predictor.estimate(
                target, candidate.launch_plan, builds, draft.compiles
            )
        except PredictionFailedError as error:
            return draft.stop(Tier.T1, error.findings, cases)
        return Evidence(
            identity=draft.identity,
            tier=Tier.T2,
            status=Status.PASSED,
            compiles=draft.compiles,
            controls=controls,
            cases=tuple(cases),
            estimates=estimates,
            speedups=_speedups(baseline, estimates),
        )

    def _parallel(
        self, function: Callable[[_Item], _Result], items: Sequence[_Item]
    ) -> list[_Result]:
        with ThreadPoolExecutor(self._workers) as pool:
            return list(pool.map(function, items))


@dataclass(frozen=True)
class _Run:
    trial: Trial
    wave: Wave
    reverse: bool


def _schedule(target: Target, agent_cases: Sequence[Case], seed: int) -> list[_Run]:
    """Public cases on both wave sizes, the others in turn; half of all in reverse lane order."""
    public = [
        _Run(trial, wave, reverse=wave == 64)
        for trial in public_trials(target, seed)
        for wave in WAVES
    ]
    others = [*held_out_trials(target, seed), *agent_trials(agent_cases, seed + 1000)]
    return public + [
        _Run(trial, WAVES[i % 2], reverse=i // 2 % 2 == 1) for i, trial in enumerate(others)
    ]


def _compile_finding(record: CompileRecord) -> Finding:
    return Finding(status=record.status, message=f"{record.architecture}: {record.message}")


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    seen: dict[tuple[Status, str | None, int | None, str | None], Finding] = {}
    for finding in findings:
        key = (finding.status, finding.kernel, finding.line, finding.buffer)
        seen.setdefault(key, finding)
    return list(seen.values())


def _speedups(baseline: Evidence | None, estimates: Sequence[Estimate]) -> tuple[Speedup, ...]:
    if baseline is None:
        return ()
    before = {(e.architecture, e.case.name): e for e in baseline.estimates}
    return tuple(
        speedup(before[key], estimate)
        for estimate in estimates
        if (key := (estimate.architecture, estimate.case.name)) in before
    )
