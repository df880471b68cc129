"""Evidence for planted kernels: made up, so that it says what a pass says.

No harness ran: reviewers are measured on records that let a kernel through, and for a bad one such
a record must be made. It never leaves the packets of a measurement.
"""

from typing import Literal

from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import (
    CaseRecord,
    CompileRecord,
    ControlRecord,
    Estimate,
    Evidence,
    Identity,
    KernelResources,
    Scope,
    Speedup,
    Status,
    Tier,
)
from rocm_pipeline.targets.spec import Case, Target

EvidenceFault = Literal["slower", "public only", "another kernel", "architecture left out"]
PLANTED = "planted"
"""Stands where a record names its harness, toolchain or sandbox."""
_SLOWER_ON = "gfx1030"
_HELD_OUT = ((1, 1), (13, 1021), (257, 63), (64, 4099), (3, 20011), (1031, 128))


def evidence_for(
    target: Target, candidate: Candidate, lds: int, fault: EvidenceFault | None = None
) -> Evidence:
    """Return a record that `candidate` passed, with `fault` in it where one is named."""
    cases = _cases(target, fault)
    source = "another" if fault == "another kernel" else candidate.source_sha256
    names = target.kernel_names(candidate.launch_plan)
    left_out = 1 if fault == "architecture left out" else 0
    architectures = target.architectures[left_out:]
    return Evidence(
        identity=Identity(
            target=target.name,
            target_sha256=PLANTED,
            source_sha256=source,
            plan_sha256=candidate.plan_sha256,
            harness=PLANTED,
            toolchain=PLANTED,
        ),
        tier=Tier.T2,
        status=Status.PASSED,
        compiles=tuple(
            CompileRecord(
                architecture=name,
                status=Status.PASSED,
                kernels=tuple(_resources(kernel, name, lds) for kernel in names),
                object_sha256=PLANTED,
            )
            for name in architectures
        ),
        cases=cases,
        controls=(
            ControlRecord(name="zeros", rejected=True, status=Status.WRONG_VALUE),
            ControlRecord(name="copy", rejected=True, status=Status.WRONG_VALUE),
        ),
        estimates=tuple(
            Estimate(
                architecture=name,
                case=case,
                low_microseconds=20.0,
                high_microseconds=40.0,
                bottleneck="device memory",
                terms={"device memory": 20.0},
            )
            for name in architectures
            for case in target.timing_cases
        ),
        speedups=tuple(
            _speedup(name, case, fault == "slower" and name == _SLOWER_ON)
            for name in architectures
            for case in target.timing_cases
        ),
        scope=Scope(
            seed=1,
            architectures=architectures,
            executions=len(cases),
            controls=("zeros", "copy"),
            timing_cases=tuple(case.name for case in target.timing_cases),
        ),
        sandbox=PLANTED,
    )


def _cases(target: Target, fault: EvidenceFault | None) -> tuple[CaseRecord, ...]:
    public = [_case(c, "public", wave) for c in target.public_cases for wave in (32, 64)]
    held_out = [
        _case(_drawn(target, size, i), "held out", (32, 64)[i % 2])
        for i, size in enumerate(_HELD_OUT)
    ]
    timed = [_case(c, "timed", wave) for c in target.timing_cases for wave in (32, 64)]
    if fault == "public only":
        held_out = []
    return (*public, *held_out, *timed)


def _drawn(target: Target, size: tuple[int, int], index: int) -> Case:
    public = target.public_cases[index // 2 % len(target.public_cases)]
    symbols = dict(zip(target.symbols, size, strict=True))
    scale = target.scales[index % len(target.scales)]
    return public.model_copy(update={"symbols": symbols, "scale": scale})


def _case(case: Case, origin: str, wave: int) -> CaseRecord:
    return CaseRecord.model_validate(
        {
            "case": case,
            "origin": origin,
            "seed": 1,
            "wave": wave,
            "lane_order": "forward",
            "status": Status.PASSED,
            "max_absolute_error": 1e-8,
            "worst_ratio": 0.05,
        }
    )


def _resources(kernel: str, name: str, lds: int) -> KernelResources:
    wave = architecture(name).wave
    return KernelResources(
        name=kernel,
        vgprs=24,
        agprs=0,
        sgprs=24,
        lds_bytes=lds,
        scratch_bytes=0,
        vgpr_spills=0,
        sgpr_spills=0,
        wave=wave,
        max_workgroup=1024,
        kernarg_bytes=24,
        block_threads=256,
        waves_per_simd=8.0,
        occupancy=1.0,
        limited_by="nothing",
        instructions={"valu": 120, "vmem": 8, "lds": 24 if lds else 0},
    )


def _speedup(name: str, case: Case, slower: bool) -> Speedup:
    low, high = (0.4, 0.7) if slower else (1.3, 1.9)
    return Speedup(architecture=name, case=case, low=low, high=high)
