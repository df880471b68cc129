"""Predicted against measured times: what is compared, and what is said of it."""

from pathlib import Path
from random import Random

import pytest

from benchmarks.lab import predictions
from benchmarks.lab.rank_correlation import (
    LEAST_KERNELS,
    LEAST_VARIANTS,
    SCHEDULES,
    Compared,
    compare,
    rank_correlation,
    rows,
    variants,
)
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.devices.model import Absent, DeviceFacts, Kind
from rocm_pipeline.lab.devices.paired import Verdict
from rocm_pipeline.lab.devices.records import CaseTiming, TimingRecord
from rocm_pipeline.lab.evidence import Estimate, Evidence, Status
from rocm_pipeline.targets import library

FACTS = DeviceFacts(
    name="a GPU",
    architecture="gfx942",
    wave=64,
    memory_bytes=1 << 30,
    cache_bytes=4 << 20,
    compute_units=304,
    shared_bytes=64 << 10,
    clock_mhz=2100,
    driver="none",
)


def compared(kernels: int, each: int, order: str) -> list[Compared]:
    draw = Random(1)
    found: list[Compared] = []
    for kernel in range(kernels):
        for number in range(each):
            predicted = 1000.0 * kernel + 10 * number + 1
            measured = {
                "as predicted": predicted**1.5,
                "against it": -predicted,
                "within a kernel against it": 1000.0 * kernel - number,
                "by chance": draw.random(),
            }[order]
            found.append(Compared(f"k{kernel}", predicted, measured))
    return found


@pytest.mark.parametrize(
    ("order", "low", "high"),
    [("as predicted", 1, 1), ("against it", -1, -1), ("by chance", -0.4, 0.4)],
)
def test_only_the_order_counts(order: str, low: float, high: float) -> None:
    found = rank_correlation(compared(6, 20, order))
    assert low - 1e-12 <= found <= high + 1e-12


def test_a_model_that_only_knows_which_kernel_is_large_is_told_apart() -> None:
    over_all, within = (row.value for row in rows(compared(6, 5, "within a kernel against it"))[2:])
    assert over_all > 0.9
    assert within == pytest.approx(-1)


@pytest.mark.parametrize(("kernels", "each", "met"), [(6, 5, True), (6, 4, False), (5, 6, False)])
def test_too_few_variants_or_kernels_meet_no_aim(kernels: int, each: int, met: bool) -> None:
    assert all(row.met for row in rows(compared(kernels, each, "as predicted"))) is met
    assert not all(row.met for row in rows([]))


def test_the_variants_are_thirty_of_six_kernels() -> None:
    count = kernels = 0
    for name in library.builtin_names():
        target = library.load(name, Path())
        sources = {candidate.source for candidate in variants(target)}
        assert len(sources) == SCHEDULES
        assert sources == {candidate.source for candidate in variants(target)}
        count += len(sources) * len(target.timing_cases)
        kernels += len(target.timing_cases)
    assert count >= LEAST_VARIANTS
    assert kernels >= LEAST_KERNELS


def test_what_is_predicted_and_timed_on_the_same_case_is_compared() -> None:
    target = library.load("row_softmax", Path())
    first, second = target.timing_cases

    def estimate(case_number: int, architecture: str, low: float) -> Estimate:
        return Estimate(
            architecture=architecture,
            case=target.timing_cases[case_number],
            low_microseconds=low,
            high_microseconds=4 * low,
            bottleneck="device memory",
            terms={},
        )

    def judge(candidate: Candidate) -> Evidence:
        del candidate
        estimates = (estimate(0, "gfx942", 10.0), estimate(0, "gfx1100", 99.0))
        return Evidence.model_construct(status=Status.PASSED, estimates=estimates)

    def time(candidate: Candidate) -> TimingRecord:
        timings = tuple(
            CaseTiming(
                case=case,
                verdict=Verdict.FASTER,
                speedup=2,
                low=1.9,
                high=2.1,
                spread=0.01,
                pairs=((60.0, 30.0), (62.0, 31.0), (90.0, 90.0)),
                flush_bytes=0,
                input_sets=1,
                checked_outputs=1,
                clocks={},
            )
            for case in (first, second)
        )
        return TimingRecord(
            target=target.name,
            kind=Kind.AMD,
            device=FACTS,
            status=Status.PASSED,
            sandbox="none",
            baseline="b",
            candidate=candidate.id,
            cases_wanted=2,
            timings=timings,
        )

    found = list(compare(target, "gfx942", judge, time))
    assert found == [Compared(f"row_softmax, {first.name}", 20.0, 31.0)] * SCHEDULES
    assert not list(compare(target, "gfx90a", judge, time))


def test_without_a_gpu_both_rows_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(kind: Kind) -> Absent:
        return Absent(kind, "no /dev/kfd", "Install the driver.")

    monkeypatch.setattr(predictions, "find", find)
    assert [(row.met, getattr(row, "reason", "")) for row in predictions.on_a_gpu()] == [
        (False, "no AMD GPU: no /dev/kfd")
    ] * 2
