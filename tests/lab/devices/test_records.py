"""Records that say more than was found cannot be made."""

from typing import Any

import pytest
from pydantic import ValidationError

from rocm_pipeline.lab.devices.model import DeviceFacts, Kind
from rocm_pipeline.lab.devices.paired import Verdict
from rocm_pipeline.lab.devices.records import CaseTiming, CorrectnessRecord, TimingRecord
from rocm_pipeline.lab.evidence import CaseRecord, Status
from rocm_pipeline.targets.subject import Case

FACTS = DeviceFacts(
    name="Stub",
    architecture="gfx942",
    wave=64,
    memory_bytes=1,
    cache_bytes=1,
    compute_units=1,
    shared_bytes=1,
    clock_mhz=1,
    driver="HIP 6",
)
CASE = Case(symbols={"n": 3}, dtypes={}, scalars={})
RECORD = CaseRecord(
    case=CASE,
    origin="public",
    seed=1,
    wave=64,
    lane_order="forward",
    status=Status.PASSED,
    max_absolute_error=0,
    worst_ratio=0,
    elements=3,
)
T3: dict[str, Any] = {
    "target": "t",
    "kind": Kind.AMD,
    "device": FACTS,
    "status": Status.PASSED,
    "sandbox": "bubblewrap",
    "candidate": "k-1",
    "source_sha256": "0",
    "plan_sha256": "0",
    "program_sha256": "0",
    "executions": 1,
    "cases": (RECORD,),
}
TIMING = CaseTiming(
    case=CASE,
    verdict=Verdict.FASTER,
    speedup=1.1,
    low=1.0,
    high=1.2,
    spread=0.01,
    pairs=((1.1, 1.0),),
    flush_bytes=1,
    input_sets=1,
    checked_outputs=2,
    clocks={},
)
T4: dict[str, Any] = {
    "target": "t",
    "kind": Kind.AMD,
    "device": FACTS,
    "status": Status.PASSED,
    "sandbox": "bubblewrap",
    "baseline": "k-1",
    "candidate": "k-2",
    "cases_wanted": 1,
    "timings": (TIMING,),
}


def test_whole_records_can_be_made_and_read_back() -> None:
    one = CorrectnessRecord(**T3)
    assert CorrectnessRecord.model_validate_json(one.model_dump_json()) == one
    other = TimingRecord(**T4)
    assert TimingRecord.model_validate_json(other.model_dump_json()).id == other.id


@pytest.mark.parametrize(
    "change",
    [
        {"device": None},
        {"sandbox": ""},
        {"cases": ()},
        {"executions": 2},
        {"program_sha256": None},
        {"reason": "it was late"},
        {"status": Status.NOT_RUN},
        {"status": Status.NOT_RUN, "reason": "no device"},
        {"status": Status.WRONG_VALUE},
    ],
)
def test_a_t3_record_with_a_gap_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CorrectnessRecord(**{**T3, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"kind": Kind.CPU},
        {"cases_wanted": 2},
        {"timings": (TIMING.model_copy(update={"verdict": Verdict.INCONCLUSIVE}),)},
        {"status": Status.NOT_RUN, "reason": "no device"},
        {"device": None},
    ],
)
def test_a_t4_record_with_a_gap_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TimingRecord(**{**T4, **change})
