"""Every schedule is real device code: sampled ones compile, the starts do so without spills."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rocm_pipeline.agents.schedules.model import Family, Schedule
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import CompileRecord, Status
from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable
from rocm_pipeline.lab.static_check import check
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.spec import Target
from tests.agents.schedules.samples import sample

CDNA_AND_RDNA = ("gfx90a", "gfx1100")


@pytest.fixture(scope="session")
def toolchain(builds: Path) -> Toolchain:
    try:
        return Toolchain(Sandbox.detect(), builds / "device")
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be compiled here: {error}")


def compiled(
    family: Family, target: Target, schedule: Schedule, toolchain: Toolchain, *archs: str
) -> tuple[CompileRecord, ...]:
    rendered = family.render(target, schedule)
    candidate = Candidate(
        target=target.name, source=rendered.source, launch_plan=rendered.launch_plan
    )
    narrow = target.model_copy(update={"architectures": archs})
    return check(candidate, narrow, toolchain)[0]


@pytest.mark.parametrize("direction", ["wide", "lean"])
def test_starts_compile_for_both_wave_sizes_without_spills(
    family: Family, target: Target, direction: str, toolchain: Toolchain
) -> None:
    start = family.starts[direction]
    for record in compiled(family, target, start, toolchain, *CDNA_AND_RDNA):
        assert record.status is Status.PASSED, record.message
        for kernel in record.kernels:
            assert kernel.vgpr_spills == 0
            assert kernel.scratch_bytes == 0


def test_sampled_schedules_compile(family: Family, target: Target, toolchain: Toolchain) -> None:
    """Half of them for each kind of architecture, so that the test stays short."""

    def verdict(numbered: tuple[int, Schedule]) -> str:
        index, schedule = numbered
        records = compiled(family, target, schedule, toolchain, CDNA_AND_RDNA[index % 2])
        return "".join(f"{dict(schedule)}: {r.message}" for r in records if r.kernels == ())

    with ThreadPoolExecutor(max_workers=2) as pool:
        assert [found for found in pool.map(verdict, enumerate(sample(family))) if found] == []
