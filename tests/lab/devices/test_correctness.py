"""T3 end to end: compiler, sandbox, driver's calls, files, judgement; only the device is a stub."""

from pathlib import Path

import pytest

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.cases import draw_inputs, scalar_values
from rocm_pipeline.lab.devices.correctness import check_on_device
from rocm_pipeline.lab.devices.cpu import CpuDevice
from rocm_pipeline.lab.devices.job import DeviceJob, LoadedPlan
from rocm_pipeline.lab.devices.model import DeviceFacts, Kind, Program
from rocm_pipeline.lab.evidence import Status, Tier
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets.spec import Target
from tests.lab.devices.conftest import MakeDevice

GPUS = (Kind.AMD, Kind.NVIDIA)


@pytest.mark.parametrize("kind", GPUS)
def test_a_right_kernel_reaches_t3_with_the_device_named(
    kind: Kind, stub_device: MakeDevice, candidate: Candidate, small_target: Target
) -> None:
    record = check_on_device(stub_device(kind), candidate, small_target, seed=7)
    assert record.status is Status.PASSED, record.findings
    assert record.tier is Tier.T3
    assert record.device is not None
    assert record.device.label in ("Stub Instinct (gfx942)", "Stub Hopper (sm_90)")
    assert len(record.cases) == record.executions > 5
    assert record.sandbox


@pytest.mark.parametrize("kind", GPUS)
@pytest.mark.parametrize(
    ("mode", "status", "words"),
    [
        ("wrong_values", Status.WRONG_VALUE, "y"),
        ("overrun", Status.OUT_OF_BOUNDS, "'y', outside it"),
        ("writes_input", Status.CHEAT, "its input 'x'"),
        ("launch_error", Status.CRASHED, "the stub was asked to fail"),
    ],
)
def test_what_a_kernel_does_wrong_on_the_device_is_found(
    kind: Kind,
    mode: str,
    status: Status,
    words: str,
    stub_device: MakeDevice,
    candidate: Candidate,
    small_target: Target,
) -> None:
    record = check_on_device(stub_device(kind, mode), candidate, small_target, seed=7)
    assert record.status is status, record.findings
    assert words in record.findings[0].message
    assert record.tier is None


def test_a_module_of_another_source_is_no_pass(
    stub_device: MakeDevice, candidate: Candidate, small_target: Target
) -> None:
    device = stub_device(Kind.NVIDIA, "wrong_hash")
    record = check_on_device(device, candidate, small_target, seed=7)
    assert record.status is Status.CHEAT
    assert "another source" in record.findings[0].message


@pytest.mark.parametrize("kind", GPUS)
def test_without_a_device_nothing_is_run_and_nothing_failed(
    kind: Kind, stub_device: MakeDevice, candidate: Candidate, small_target: Target
) -> None:
    record = check_on_device(stub_device(kind, "no_device"), candidate, small_target)
    assert record.status is Status.NOT_RUN
    assert "there is no device 0; the driver knows 0" in record.reason
    assert record.device is None


def test_a_kernel_that_never_ends_is_stopped(
    stub_device: MakeDevice, candidate: Candidate, small_target: Target
) -> None:
    device = stub_device(Kind.AMD, "hang")
    facts = device.describe()
    assert isinstance(facts, DeviceFacts)
    program = device.compile(candidate.source, facts)
    assert isinstance(program, Program)
    case = small_target.public_cases[0]
    run = device.run(
        DeviceJob(
            (LoadedPlan(program, small_target.bind(candidate.launch_plan, case, 64)),),
            small_target.tensors_for(case),
            (draw_inputs(small_target, case, 1),),
            scalar_values(small_target, case),
            ((0, 0),),
        ),
        wall_seconds=2,
    )
    assert run.findings[0].status is Status.TIMEOUT


def test_the_emulator_is_a_device_whose_passes_are_t2(
    sandbox: Sandbox,
    candidate: Candidate,
    small_target: Target,
    builds: Path,
) -> None:
    device = CpuDevice(sandbox, builds)
    record = check_on_device(device, candidate, small_target, seed=7)
    assert record.status is Status.PASSED, record.findings
    assert record.tier is Tier.T2
