"""Kernels that cheat fail for their stated reason; the honest twin of each passes at T2."""

import pytest

from rocm_pipeline.lab.evidence import Evidence, Status, Tier
from tests.cheats.catalogue import HIP
from tests.cheats.conftest import Judge
from tests.cheats.hip.honest import ARCHETYPES
from tests.cheats.hip.kernels import HipCheat, Kernel
from tests.cheats.hip.near_twins import NEAR_TWINS
from tests.cheats.model import record_cheat, record_honest
from tests.conftest import RecordFigure


def _honest() -> dict[str, Kernel]:
    """Every honest kernel once, under the name of the first cheat that it is the twin of."""
    named = ARCHETYPES | NEAR_TWINS
    seen = {kernel.candidate.id for kernel in named.values()}
    for cheat in HIP:
        if cheat.twin.candidate.id not in seen:
            seen.add(cheat.twin.candidate.id)
            named[f"twin of {cheat.id}"] = cheat.twin
    return named


HONEST = _honest()


@pytest.mark.parametrize("cheat", HIP, ids=lambda cheat: cheat.id)
def test_a_kernel_that_cheats_fails_for_the_stated_reason(
    cheat: HipCheat, judge: Judge, record_figure: RecordFigure
) -> None:
    evidence = judge(cheat.kernel)
    outcome = cheat.outcome(evidence.status, [each.message for each in evidence.findings])
    record_cheat(record_figure, cheat, outcome)

    assert outcome == "caught", _described(evidence)


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_kernel_passes(name: str, judge: Judge, record_figure: RecordFigure) -> None:
    evidence = judge(HONEST[name])
    passed = evidence.status is Status.PASSED and evidence.tier is Tier.T2
    record_honest(record_figure, name, passed)

    assert passed, _described(evidence)


def _described(evidence: Evidence) -> str:
    reasons = "\n".join(f"{each.status.value}: {each.message}" for each in evidence.findings)
    return f"{evidence.status.value} at {evidence.tier}\n{reasons}"
