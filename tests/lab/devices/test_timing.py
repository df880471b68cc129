"""T4 end to end on a stub whose second module is a tenth faster."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.devices import timing
from rocm_pipeline.lab.devices.cpu import CpuDevice
from rocm_pipeline.lab.devices.model import DeviceFacts, Kind
from rocm_pipeline.lab.devices.paired import Verdict
from rocm_pipeline.lab.devices.timing import PAIRS, WARM_UP_PAIRS, schedule, time_on_device
from rocm_pipeline.lab.evidence import Status, Tier
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets.spec import Target
from tests.lab.devices.conftest import MakeDevice


@pytest.fixture(autouse=True)
def _small_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "LEAST_FLUSH", 1 << 20)


def test_a_faster_candidate_is_found_with_everything_recorded(
    stub_device: MakeDevice, candidate: Candidate, small_target: Target
) -> None:
    record = time_on_device(stub_device(Kind.NVIDIA), candidate, candidate, small_target, seed=5)
    assert record.status is Status.PASSED, (record.findings, record.reason)
    assert record.tier is Tier.T4
    for found in record.timings:
        assert found.verdict is Verdict.FASTER
        assert found.low < 1 / 0.9 < found.high
        assert len(found.pairs) == PAIRS
        assert found.flush_bytes == 100 << 20
        assert found.input_sets == PAIRS + WARM_UP_PAIRS
        assert found.checked_outputs == 2 * found.input_sets


def test_equal_kernels_are_inconclusive(
    stub_device: MakeDevice, candidate: Candidate, small_target: Target
) -> None:
    device = stub_device(Kind.NVIDIA, "equal")
    record = time_on_device(device, candidate, candidate, small_target, seed=5, pairs=12)
    assert record.status is Status.INCONCLUSIVE, record.findings
    assert record.reason
    assert record.tier is None


def test_a_wrong_output_of_a_timed_run_is_a_failure_without_times(
    stub_device: MakeDevice, candidate: Candidate, small_target: Target
) -> None:
    device = stub_device(Kind.NVIDIA, "second_is_wrong")
    record = time_on_device(device, candidate, candidate, small_target, seed=5, pairs=4)
    assert record.status is Status.WRONG_VALUE
    assert "the candidate, while timed" in record.findings[0].message
    assert not record.timings


def test_the_emulator_times_nothing(
    sandbox: Sandbox,
    candidate: Candidate,
    small_target: Target,
    builds: Path,
) -> None:
    device = CpuDevice(sandbox, builds)
    record = time_on_device(device, candidate, candidate, small_target)
    assert record.status is Status.NOT_RUN
    assert "say nothing" in record.reason


def test_pairs_begin_with_each_program_in_turn_and_share_their_inputs() -> None:
    order = schedule(10, 4)[2 * WARM_UP_PAIRS :]
    pairs = list(zip(order[::2], order[1::2], strict=True))
    assert len(pairs) == 10
    assert Counter(first[0] for first, _ in pairs) == {0: 5, 1: 5}
    assert all(first[1] == second[1] and first[0] != second[0] for first, second in pairs)
    assert all(one[0][1] != two[0][1] for one, two in pairwise(pairs))


def test_the_flush_covers_the_largest_cache() -> None:
    facts = DeviceFacts(
        name="x",
        architecture="sm_90",
        wave=32,
        memory_bytes=1,
        cache_bytes=50 << 20,
        compute_units=1,
        shared_bytes=1,
        clock_mhz=1,
        driver="x",
    )
    assert timing.flush_bytes(facts) == 100 << 20
    # its Infinity Cache, which no driver tells, has 256 MiB
    instinct = facts.model_copy(update={"architecture": "gfx942", "cache_bytes": 4 << 20})
    assert timing.flush_bytes(instinct) == 512 << 20
