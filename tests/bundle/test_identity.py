"""What a kernel ran on: a record of a device is not repeated by the emulator, and says so."""

import pytest

from rocm_pipeline.bundle.claims import Verdict
from rocm_pipeline.bundle.identity import device
from rocm_pipeline.lab.evidence import NO_DEVICE
from tests.fakes.values import a_candidate, a_passing_evidence, a_target

target = a_target()
RECORDED = a_passing_evidence(target, a_candidate(target))


@pytest.mark.parametrize("measured_on", [NO_DEVICE, "some GPU"])
def test_a_record_of_a_device_cannot_be_checked_and_the_command_that_could_is_named(
    measured_on: str,
) -> None:
    found = device(RECORDED.model_copy(update={"measured_on": measured_on}))
    assert (found.recorded, found.found) == (measured_on, NO_DEVICE)
    if measured_on == NO_DEVICE:
        assert found.verdict is Verdict.REPRODUCED
    else:
        assert found.verdict is Verdict.UNCHECKED
        assert "`rocm-pipeline device`" in found.reason
