"""What several tests of the agents share: built-in targets, their tasks, evidence models."""

from collections.abc import Callable, Iterator
from pathlib import Path

import ollama
import pytest

from rocm_pipeline.agents.brief import Brief, EvidenceSummary
from rocm_pipeline.agents.embedded import EmbeddedServer
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import (
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
from rocm_pipeline.planning.plan import Role, Task
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target

MakeBrief = Callable[..., Brief]


@pytest.fixture(scope="session")
def load_target() -> Callable[[str], Target]:
    return lambda name: library.load(name, Path("/nonexistent"))


@pytest.fixture(scope="session")
def target(load_target: Callable[[str], Target]) -> Target:
    return load_target("row_softmax")


@pytest.fixture(scope="session")
def candidate(target: Target) -> Candidate:
    return Candidate(
        target=target.name,
        source=target.baseline.source,
        launch_plan=target.baseline.launch_plan,
    )


def task_for(target: Target, role: Role) -> Task:
    return next(task for task in make_plan(target, "c0ffee", ()).tasks if task.role is role)


@pytest.fixture(scope="session")
def brief(target: Target) -> MakeBrief:
    """Make a brief for a role; further fields by name."""

    def make(role: Role, **fields: object) -> Brief:
        own = fields.pop("target", target)
        assert isinstance(own, Target)
        return Brief.model_validate({"target": own, "task": task_for(own, role), **fields})

    return make


def _identity(candidate: Candidate) -> Identity:
    return Identity(
        target=candidate.target,
        target_sha256="0" * 64,
        source_sha256=candidate.source_sha256,
        plan_sha256=candidate.plan_sha256,
        harness="harness",
        toolchain="toolchain",
    )


def _resources(spills: int) -> KernelResources:
    return KernelResources(
        name="row_softmax_f32",
        vgprs=40,
        agprs=0,
        sgprs=20,
        lds_bytes=1024,
        scratch_bytes=4 * spills,
        vgpr_spills=spills,
        sgpr_spills=0,
        wave=64,
        max_workgroup=256,
        kernarg_bytes=24,
        block_threads=256,
        waves_per_simd=6.0,
        occupancy=0.75,
        limited_by="registers",
        instructions={"valu": 100, "vmem": 12},
    )


@pytest.fixture(scope="session")
def passed(target: Target, candidate: Candidate) -> Evidence:
    """Two architectures, one of them spilling, with estimates and speed-ups."""
    case = target.timing_cases[0]
    ranges = {"gfx942": (10.0, 20.0), "gfx1100": (30.0, 40.0)}
    return Evidence(
        identity=_identity(candidate),
        sandbox="bubblewrap",
        tier=Tier.T2,
        status=Status.PASSED,
        compiles=tuple(
            CompileRecord(
                architecture=name,
                status=Status.PASSED,
                kernels=(_resources(spills),),
                object_sha256="a" * 64,
            )
            for name, spills in (("gfx942", 0), ("gfx1100", 3))
        ),
        cases=(
            CaseRecord(
                case=target.public_cases[0],
                origin="public",
                seed=424242,
                wave=64,
                lane_order="forward",
                status=Status.PASSED,
                max_absolute_error=1e-8,
                worst_ratio=0.1,
            ),
            *(
                CaseRecord(
                    case=case,
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
                architecture=name,
                case=case,
                low_microseconds=low,
                high_microseconds=high,
                bottleneck="device memory",
                terms={"device memory": low},
            )
            for name, (low, high) in ranges.items()
        ),
        speedups=tuple(Speedup(architecture=name, case=case, low=2.0, high=8.0) for name in ranges),
        scope=Scope(
            seed=1,
            architectures=tuple(ranges),
            executions=3,
            controls=("zeros",),
            timing_cases=(case.name,),
        ),
    )


@pytest.fixture(scope="session")
def failed(target: Target, candidate: Candidate) -> Evidence:
    """A wrong value on line 12, and a compile error that two architectures share."""
    error = "kernel.hip:3:1: error: unknown type name 'flaot'"
    return Evidence(
        identity=_identity(candidate),
        tier=Tier.T0,
        status=Status.WRONG_VALUE,
        compiles=tuple(
            CompileRecord(architecture=name, status=Status.COMPILE_ERROR, message=error)
            for name in ("gfx942", "gfx1100")
        ),
        cases=(
            CaseRecord(
                case=target.public_cases[1],
                origin="held out",
                seed=31337,
                wave=32,
                lane_order="reverse",
                status=Status.WRONG_VALUE,
                max_absolute_error=0.25,
                worst_ratio=812.5,
                findings=(
                    Finding(
                        status=Status.WRONG_VALUE,
                        message="y[3, 7] is 0.5, the reference is 0.25",
                        kernel="row_softmax_f16",
                        line=12,
                    ),
                ),
            ),
        ),
    )


@pytest.fixture(scope="session")
def summary(passed: Evidence) -> EvidenceSummary:
    return EvidenceSummary.of(passed)


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def client(server: EmbeddedServer) -> ollama.Client:
    return ollama.Client(host=server.url, timeout=30, trust_env=False)
