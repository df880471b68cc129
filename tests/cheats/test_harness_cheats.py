"""The checks cannot be talked out of their verdict, and refuse what would weaken them."""

import pytest

from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.lab.harness import Harness
from tests.cheats.conftest import Judge
from tests.cheats.harness_cheats import CHEATS, HarnessCheat
from tests.cheats.hip.honest import SCALE
from tests.cheats.hip.targets import small_target
from tests.cheats.model import record_cheat, record_honest
from tests.conftest import RecordFigure


@pytest.fixture(scope="module")
def passed(harness: Harness, judge: Judge) -> Evidence:
    """An honest pass, with speed-ups over itself."""
    target = small_target("scale")
    evidence = harness.judge(SCALE.candidate, target, baseline=judge(SCALE))
    assert evidence.status is Status.PASSED, evidence.findings
    return evidence


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.id)
def test_a_check_that_is_cheated_refuses(
    cheat: HarnessCheat, passed: Evidence, record_figure: RecordFigure
) -> None:
    reasons = cheat.attempt(passed)
    outcome = cheat.outcome(None, reasons)
    record_cheat(record_figure, cheat, outcome)
    record_honest(record_figure, f"twin of {cheat.id}", not cheat.honest(passed))

    assert outcome == "caught", reasons
    assert cheat.honest(passed) == []
