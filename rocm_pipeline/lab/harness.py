"""The harness: judges a candidate from T0 to T2 and estimates its time.

It draws its own cases, owns the numbers and gives every verdict. Nothing a candidate prints,
returns or claims counts.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.controls import require_controls, required_controls, run_controls
from rocm_pipeline.lab.diagnostics import Diagnosis
from rocm_pipeline.lab.emulator import BuildFailed, Emulator, EmulatorBuild
from rocm_pipeline.lab.evidence import (
    NOT_FAILED,
    CaseRecord,
    CompileRecord,
    ControlRecord,
    Evidence,
    Finding,
    Identity,
    Scope,
    Status,
    Tier,
    too_few_at_their_size,
)
from rocm_pipeline.lab.execution import CaseRunner
from rocm_pipeline.lab.harness_version import harness_sha256
from rocm_pipeline.lab.plan_check import check_plan
from rocm_pipeline.lab.policy import check_source
from rocm_pipeline.lab.prediction import PredictionFailedError, predict
from rocm_pipeline.lab.reference import Reference
from rocm_pipeline.lab.runs import (
    SampleRun,
    WholeRun,
    longest_first,
    sample_runs,
    settled,
    settled_sample,
    split_large_trials,
    whole_runs,
)
from rocm_pipeline.lab.same_code import noted, speedups_over
from rocm_pipeline.lab.sampled import SampledRun, SampledRunner
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.slow_cases import Speed, speed_of
from rocm_pipeline.lab.static_check import check
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.subject import Case, Subject, Wave


@dataclass(frozen=True)
class _Draft:
    """What has been found so far; becomes an Evidence at the first failure or at the end."""

    identity: Identity
    sandbox: str
    compiles: tuple[CompileRecord, ...] = ()
    controls: tuple[ControlRecord, ...] = ()
    scope: Scope | None = None

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
            scope=self.scope,
            sandbox=self.sandbox,
        )


class Harness:
    """Judges candidates; one instance may be used from several threads."""

    def __init__(self, sandbox: Sandbox, cache: Path) -> None:
        self.toolchain = Toolchain(sandbox, cache / "device")
        self.emulator = Emulator(sandbox, cache / "emulator")
        self._sandbox = sandbox
        self._workers = os.cpu_count() or 1

    def identify(self, candidate: Candidate, target: Subject) -> Identity:
        """Return the experiment that `judge` would be; equal identities need not run twice."""
        return Identity(
            target=target.name,
            target_sha256=target.sha256,
            source_sha256=candidate.source_sha256,
            plan_sha256=candidate.plan_sha256,
            harness=harness_sha256()[:16],
            toolchain=self.toolchain.identity,
        )

    def judge(
        self,
        candidate: Candidate,
        target: Subject,
        *,
        agent_cases: Sequence[Case] = (),
        baseline: Evidence | None = None,
        seed: int | None = None,
    ) -> Evidence:
        """Return the evidence about `candidate`, up to the first tier it fails.

        `baseline` is the baseline's own evidence; with it a pass carries estimated speed-ups.
        `seed` repeats an experiment that was recorded; a first verdict leaves it out, so that its
        held-out cases are drawn from a secret one.
        """
        draft = _Draft(self.identify(candidate, target), self._sandbox.identity)
        findings = (
            *check_plan(candidate.launch_plan, target),
            *check_source(candidate, target),
        )
        if findings:
            return draft.stop(None, findings)
        # side by side, because the last compilations of either leave a core idle
        with ThreadPoolExecutor(len(target.waves)) as pool:
            building = self._build(candidate, target, pool)
            compiles, _ = check(candidate, target, self.toolchain)
        compiles = noted(compiles, baseline, draft.identity.plan_sha256)
        draft = replace(draft, compiles=compiles)
        failed = [record for record in compiles if record.status is not Status.PASSED]
        if failed:
            return draft.stop(Tier.T0, [_compile_finding(record) for record in failed])
        try:
            builds: dict[Wave, EmulatorBuild] = {w: done.result() for w, done in building.items()}
        except BuildFailed as error:
            return draft.stop(Tier.T1, [Diagnosis(error.diagnostics).finding("emulator")])
        # drawn now, when the candidate is fixed; recorded in the evidence so anyone can repeat it
        seed = secrets.randbits(62) if seed is None else seed
        return self._run(draft, candidate, target, builds, agent_cases, baseline, seed)

    def _build(
        self, candidate: Candidate, target: Subject, pool: Executor
    ) -> dict[Wave, "Future[EmulatorBuild]"]:
        kernels = target.kernel_names(candidate.launch_plan)
        return {
            wave: pool.submit(self.emulator.build, candidate.source, kernels, wave)
            for wave in target.waves
        }

    def _run(
        self,
        draft: _Draft,
        candidate: Candidate,
        target: Subject,
        builds: dict[Wave, EmulatorBuild],
        agent_cases: Sequence[Case],
        baseline: Evidence | None,
        seed: int,
    ) -> Evidence:
        controls = run_controls(target, Reference(target), seed)
        require_controls(target, controls)
        large = split_large_trials(target, candidate.launch_plan, seed)
        whole = whole_runs(candidate, target, agent_cases, large, seed)
        samples = sample_runs(target, large, seed)
        scope = Scope(
            seed=seed,
            architectures=target.architectures,
            executions=sum(run.executions for run in (*whole, *samples)),
            controls=required_controls(target, controls),
            timing_cases=tuple(case.name for case in target.timing_cases),
        )
        draft = replace(draft, controls=controls, scope=scope)
        cases, sampled = self._execute(candidate, target, builds, whole, samples)
        wrong = [finding for record in cases for finding in record.findings]
        if wrong:
            return draft.stop(Tier.T1, _distinct(wrong), cases)
        cases += [run.record for run in sampled]
        wrong = [finding for run in sampled for finding in run.record.findings]
        if wrong:
            return draft.stop(Tier.T1, _distinct(wrong), cases)
        replaced = too_few_at_their_size(cases)
        if replaced is not None:
            finding = Finding(status=Status.INCONCLUSIVE, message=replaced)
            return draft.stop(Tier.T1, [finding], cases)
        try:
            estimates = tuple(
                estimate
                for case in target.timing_cases
                for run in sampled
                if run.trial.origin == "timed" and run.trial.case == case
                for estimate in predict(target, candidate.launch_plan, case, run, draft.compiles)
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
            speedups=speedups_over(baseline, draft.identity.plan_sha256, draft.compiles, estimates),
            scope=scope,
            sandbox=draft.sandbox,
        )

    def _execute(
        self,
        candidate: Candidate,
        target: Subject,
        builds: Mapping[Wave, EmulatorBuild],
        whole: Sequence["WholeRun"],
        samples: Sequence["SampleRun"],
    ) -> tuple[list[CaseRecord], list[SampledRun]]:
        """Execute everything in one pool; samples may be missing where a whole run went wrong.

        Wrong kernels are mostly found by the public cases, so these come first. The samples are
        next and the others follow, the longest first: a long run at the end of the pool would leave
        the other cores idle.
        """
        runner = CaseRunner(target, candidate.launch_plan, self.emulator)
        sampler = SampledRunner(target, candidate.launch_plan, self.emulator)
        wrong, stuck = Event(), Event()

        def execute(run: WholeRun) -> Sequence[CaseRecord]:
            if stuck.is_set():
                return []
            records = run.execute(runner, builds)
            if speed_of(records) is not Speed.ENDED:
                records = settled(target, run, records, runner, sampler, builds)
            if any(record.findings for record in records):
                wrong.set()
            # each of the others would take as long, and say the same
            if speed_of(records) is not Speed.ENDED:
                stuck.set()
            return records

        def sample(run: SampleRun) -> Sequence[SampledRun]:
            if wrong.is_set():
                return []
            found = sampler.run(builds, run.trial, run.waves)
            return [settled_sample(target, each, sampler, builds) for each in found]

        with ThreadPoolExecutor(self._workers) as pool:
            public = [pool.submit(execute, run) for run in whole if run.trial.origin == "public"]
            sampled = [pool.submit(sample, run) for run in samples]
            others = [run for run in whole if run.trial.origin != "public"]
            order = longest_first(target, candidate.launch_plan, others)
            rest = {number: pool.submit(execute, others[number]) for number in order}
        in_order = (*public, *(rest[number] for number in range(len(others))))
        return (
            [record for done in in_order for record in done.result()],
            [run for done in sampled for run in done.result()],
        )


def _compile_finding(record: CompileRecord) -> Finding:
    message = f"{record.architecture}: {record.message}"
    return Finding(status=record.status, message=message, line=Diagnosis(record.message).line)


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    seen: dict[tuple[Status, str | None, int | None, str | None], Finding] = {}
    for finding in findings:
        key = (finding.status, finding.kernel, finding.line, finding.buffer)
        seen.setdefault(key, finding)
    # what is known to be wrong comes before what could not be judged
    return sorted(seen.values(), key=lambda finding: finding.status in NOT_FAILED)
