"""Starts and several moves of each family, run on the emulator against the float64 reference."""

from itertools import product
from pathlib import Path

import pytest

from rocm_pipeline.agents.schedules import FAMILIES
from rocm_pipeline.agents.schedules.model import Schedule
from rocm_pipeline.lab.cases import Trial
from rocm_pipeline.lab.emulator import Emulator
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.execution import CaseRunner
from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Case
from rocm_pipeline.targets.subject import Wave
from tests.agents.schedules.samples import builtin
from tests.scale import is_long

SINGLE, HALF = DType.FLOAT32, DType.FLOAT16
WAVES: tuple[Wave, ...] = (32, 64)

CHANGES: dict[str, list[tuple[str, dict[str, int]]]] = {
    "row_softmax": [
        ("wide", {}),
        ("lean", {}),
        ("wide", {"rows": 32, "vector_bytes": 8, "kept": 16}),
        ("wide", {"block": 64, "kept": 64}),
        ("wide", {"block": 1024, "rows": 8, "kept": 0}),
    ],
    "attention_forward": [
        ("wide", {}),
        ("lean", {}),
        ("wide", {"pad": 1, "single": 2, "unroll": 2}),
        ("wide", {"pad": 1, "single": 1, "share": 1, "rows": 8}),
        ("lean", {"lanes": 32, "groups": 4, "keys": 64}),
        ("lean", {"lanes": 4, "groups": 16, "pad": 1}),
    ],
    "upsample_conv_silu": [
        ("wide", {}),
        ("lean", {}),
        ("wide", {"prepare": 1, "pixels": 2}),
        ("lean", {"prepare": 1, "channels": 16}),
        ("wide", {"tile_width": 64, "tile_rows": 1, "pixels": 4, "channels": 1, "stage": 1}),
    ],
}


def case(dtype: DType, scale: float, **symbols: int) -> Case:
    scalars = {"scale": symbols["head_dim"] ** -0.5} if "head_dim" in symbols else {}
    return Case(symbols=symbols, dtypes={"io": dtype}, scalars=scalars, scale=scale)


CASES: dict[str, list[Case]] = {
    "row_softmax": [
        case(SINGLE, 1, rows=3, cols=1),
        case(HALF, 1, rows=33, cols=7),
        case(HALF, 16, rows=5, cols=1000),
        case(SINGLE, 64, rows=2, cols=4099),
        case(SINGLE, 1e-3, rows=1, cols=2048),
        case(HALF, 1, rows=1, cols=16500),
    ],
    "attention_forward": [
        case(SINGLE, 1, heads=1, seq=1, head_dim=32, causal=1),
        case(HALF, 2, heads=2, seq=33, head_dim=128, causal=0),
        case(SINGLE, 2, heads=1, seq=97, head_dim=64, causal=1),
        case(HALF, 1, heads=1, seq=130, head_dim=64, causal=1),
        case(SINGLE, 1, heads=1, seq=40, head_dim=128, causal=1),
        case(HALF, 1, heads=1, seq=65, head_dim=32, causal=0),
    ],
    "upsample_conv_silu": [
        case(SINGLE, 2, batch=1, c_in=1, c_out=1, height=1, width=1),
        case(HALF, 2, batch=2, c_in=3, c_out=5, height=7, width=9),
        case(SINGLE, 1, batch=1, c_in=17, c_out=9, height=5, width=33),
        case(HALF, 1, batch=1, c_in=9, c_out=17, height=19, width=3),
        case(SINGLE, 2, batch=1, c_in=2, c_out=3, height=2, width=131),
    ],
}


@pytest.fixture(scope="session")
def emulator(builds: Path) -> Emulator:
    try:
        return Emulator(Sandbox.detect(), builds / "emulator")
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be run here: {error}")


def described() -> list[tuple[str, str, Schedule, tuple[Wave, ...]]]:
    return [
        (
            name,
            direction,
            {**FAMILIES[name].starts[direction], **change},
            WAVES if is_long() else (WAVES[number % 2],),
        )
        for name, changes in CHANGES.items()
        for number, (direction, change) in enumerate(changes)
    ]


@pytest.mark.parametrize(("name", "direction", "schedule", "waves"), described())
def test_a_schedule_is_right_for_awkward_shapes(
    name: str,
    direction: str,
    schedule: Schedule,
    waves: tuple[Wave, ...],
    emulator: Emulator,
) -> None:
    """Both wave sizes, by turns unless long, in both lane orders by turns."""
    family, target = FAMILIES[name], builtin(name)
    assert family.allows(target, schedule), direction
    rendered = family.render(target, schedule)
    kernels = target.kernel_names(rendered.launch_plan)
    builds = {wave: emulator.build(rendered.source, kernels, wave) for wave in waves}
    runner = CaseRunner(target, rendered.launch_plan, emulator)
    for index, (wave, awkward) in enumerate(product(waves, CASES[name])):
        trial = Trial(awkward, "agent", seed=index)
        record = runner.run(builds[wave], trial, wave, reverse=index % 2 == 1)
        assert record.status is Status.PASSED, (awkward.name, wave, record.findings)
