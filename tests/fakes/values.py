"""Small, valid values of every stage."""

import hashlib
from pathlib import Path

from rocm_pipeline.agents.examples import BlockKind, BlockRecord, Examples
from rocm_pipeline.agents.outcome import Exchange, KernelRound
from rocm_pipeline.bundle.claims import CORRECTNESS, Kind, Reproduction, Row, Verdict
from rocm_pipeline.bundle.environment import Environment
from rocm_pipeline.integration.evidence import CheckRecord, OperatorEvidence
from rocm_pipeline.integration.job import Check
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import (
    NO_DEVICE,
    CaseRecord,
    CompileRecord,
    ControlRecord,
    Estimate,
    Evidence,
    Finding,
    Identity,
    KernelResources,
    Scope,
    Speedup,
    Status,
    Tier,
)
from rocm_pipeline.planning.plan import Task
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target


def a_target(name: str = "row_softmax") -> Target:
    return library.load(name, Path("/nonexistent"))


def a_small_target(targets: Path, name: str = "small") -> Target:
    """Make a target of the user's own in the folder `targets`, which is soon judged."""
    folder = library.create(name, targets)
    text = (folder / "target.yaml").read_text(encoding="utf-8")
    text = text.replace("- {symbols: {n: 16777216}", "- {symbols: {n: 65536}")
    (folder / "target.yaml").write_text(f"{text}\narchitectures: [gfx942, gfx1100]\n")
    return library.load_folder(folder)


def a_candidate(target: Target, note: str = "") -> Candidate:
    source = target.baseline.source + (f"// {note}\n" if note else "")
    return Candidate(target=target.name, source=source, launch_plan=target.baseline.launch_plan)


def an_exchange(task: Task, round: int = 1) -> Exchange:
    digest = hashlib.sha256(f"{task.id} {round}".encode()).hexdigest()
    return Exchange(
        task_id=task.id,
        role=task.role.value,
        round=round,
        attempt_id=f"a-{digest[:16]}",
        reply_id=f"r-{digest[:16]}",
        model="qwen2.5-coder:7b",
        model_digest=f"sha256:{digest}",
        host="workstation",
        prompt_sha256=digest,
        seed=7,
        tokens_in=100,
        tokens_out=50,
    )


def a_passing_evidence(target: Target, candidate: Candidate, speedup: float = 2.0) -> Evidence:
    timing = target.timing_cases[0]
    return Evidence(
        identity=_identity(target, candidate),
        sandbox="bubblewrap",
        tier=Tier.T2,
        status=Status.PASSED,
        compiles=tuple(
            CompileRecord(
                architecture=architecture,
                status=Status.PASSED,
                kernels=(_resources(target),),
                object_sha256="0" * 64,
            )
            for architecture in target.architectures
        ),
        cases=(
            CaseRecord(
                case=target.public_cases[0],
                origin="public",
                seed=1,
                wave=32,
                lane_order="forward",
                status=Status.PASSED,
                max_absolute_error=1e-8,
                worst_ratio=0.1,
            ),
            *(
                CaseRecord(
                    case=timing,
                    origin="timed",
                    seed=2,
                    wave=wave,
                    lane_order="forward",
                    status=Status.PASSED,
                    max_absolute_error=1e-8,
                    worst_ratio=0.1,
                )
                for wave in (32, 64)
            ),
        ),
        controls=(ControlRecord(name="zeros", rejected=True, status=Status.WRONG_VALUE),),
        estimates=tuple(
            Estimate(
                architecture=architecture,
                case=timing,
                low_microseconds=10.0,
                high_microseconds=20.0,
                bottleneck="device memory",
                terms={"device memory": 10.0},
            )
            for architecture in target.architectures
        ),
        speedups=tuple(
            Speedup(architecture=architecture, case=timing, low=speedup, high=speedup * 1.5)
            for architecture in target.architectures
        ),
        scope=Scope(
            seed=1,
            architectures=target.architectures,
            executions=3,
            controls=("zeros",),
            timing_cases=(timing.name,),
        ),
    )


def a_reproduction(
    target: Target, candidate: Candidate, evidence: Evidence, *, broken: bool = False
) -> Reproduction:
    """Return what a clean workspace found: all of T2, or another outcome when `broken`."""
    rows = [
        Row(
            kind=kind,
            claim=f"the {kind.value} is the recorded one",
            recorded="PASSED",
            found="WRONG_VALUE" if broken and kind is Kind.OUTCOME else "PASSED",
            verdict=Verdict.NOT_REPRODUCED
            if broken and kind is Kind.OUTCOME
            else Verdict.REPRODUCED,
        )
        for kind in CORRECTNESS
    ]
    return Reproduction(
        target=target.name,
        candidate=candidate.id,
        evidence=evidence.id,
        status=evidence.status,
        tier=evidence.tier,
        bundle_sha256="0" * 64,
        here=an_environment(),
        rows=tuple(rows),
    )


def an_environment() -> Environment:
    """Return facts about some machine."""
    return Environment(
        version="1",
        harness="d",
        toolchain="e",
        sandbox="bubblewrap",
        device=NO_DEVICE,
        python="3.11",
        packages={"numpy": "2"},
        system="Linux",
        machine="x86_64",
        cpu="some",
    )


def a_failing_evidence(target: Target, candidate: Candidate) -> Evidence:
    return Evidence(
        identity=_identity(target, candidate),
        tier=Tier.T0,
        status=Status.COMPILE_ERROR,
        findings=(Finding(status=Status.COMPILE_ERROR, message="expected ';' | in `line`"),),
    )


def a_round(
    target: Target, task: Task, note: str, *, passes: bool = True, speedup: float = 2.0
) -> KernelRound:
    candidate = a_candidate(target, note)
    evidence = (
        a_passing_evidence(target, candidate, speedup)
        if passes
        else a_failing_evidence(target, candidate)
    )
    return KernelRound(exchange=an_exchange(task), candidate=candidate, evidence=evidence)


def an_operator_evidence(
    target: Target, candidate: Candidate, status: Status = Status.NOT_RUN
) -> OperatorEvidence:
    """Return a record with every check at `status`; PASSED and NOT_RUN differ in PyTorch."""
    passed = status is Status.PASSED
    return OperatorEvidence(
        target=target.name,
        candidate=candidate.id,
        package_sha256="0" * 64,
        seed=1,
        torch_version="2.6" if status is not Status.NOT_RUN else None,
        checks=tuple(
            CheckRecord(
                check=check,
                status=status,
                message="" if passed else "PyTorch is not installed",
                worst_ratio=0.5 if passed and check in _WITH_RATIO else None,
            )
            for check in Check
        ),
    )


def some_examples(status: Status = Status.PASSED) -> Examples:
    """Return the record of a document with one example, which ended with `status`."""
    passed = status is Status.PASSED
    block = BlockRecord(
        line=3,
        language="python",
        kind=BlockKind.PYTHON,
        status=status,
        message="" if passed else "what came of it",
    )
    return Examples(
        package_sha256="0" * 64,
        torch_version="2.6" if status is not Status.NOT_RUN else None,
        blocks=(block,),
    )


_WITH_RATIO = (Check.FORWARD, Check.EQUIVALENT, Check.STRIDES, Check.BACKWARD, Check.COMPILE)


def _identity(target: Target, candidate: Candidate) -> Identity:
    return Identity(
        target=target.name,
        target_sha256="0" * 64,
        source_sha256=candidate.source_sha256,
        plan_sha256=candidate.plan_sha256,
        harness="fake",
        toolchain="fake",
    )


def _resources(target: Target) -> KernelResources:
    return KernelResources(
        name=target.name,
        vgprs=24,
        agprs=0,
        sgprs=16,
        lds_bytes=0,
        scratch_bytes=0,
        vgpr_spills=0,
        sgpr_spills=0,
        wave=32,
        max_workgroup=1024,
        kernarg_bytes=64,
        block_threads=64,
        waves_per_simd=16.0,
        occupancy=1.0,
        limited_by="nothing",
        instructions={"valu": 10},
    )
