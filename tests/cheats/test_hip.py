"""Kernels that cheat fail for their stated reason; the honest twin of each passes at T2."""

from collections.abc import Sequence

import pytest

from rocm_pipeline.lab.evidence import Evidence, Status, Tier
from tests.cheats.catalogue import HIP
from tests.cheats.conftest import Judge
from tests.cheats.hip.honest import ARCHETYPES
from tests.cheats.hip.kernels import HipCheat, Kernel
from tests.cheats.hip.near_twins import NEAR_TWINS
from tests.cheats.model import record_cheat, record_honest
from tests.conftest import RecordFigure
from tests.scale import is_long


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
FEWEST_HONEST = 21
_BY_ATOMICS = ("clear, then atomics", "counts in LDS first")
"""Honest kernels that a sample of blocks would judge wrongly."""


_IMPOSSIBLE = 31
"""The number whose cheats are all tried: each is met by a rule of its own."""


def _tried() -> Sequence[HipCheat]:
    """The first cheat of each number of the catalogue; all of them when long."""
    if is_long():
        return HIP
    first = {cheat.number: cheat.id for cheat in reversed(HIP)}
    return [each for each in HIP if each.id in first.values() or each.number == _IMPOSSIBLE]


def _expected_to_pass() -> Sequence[str]:
    """As many honest kernels as there must be at least, of every archetype; all when long."""
    if is_long():
        return list(HONEST)
    return list(dict.fromkeys((*ARCHETYPES, *_BY_ATOMICS, *HONEST)))[:FEWEST_HONEST]


@pytest.mark.parametrize("cheat", _tried(), ids=lambda cheat: cheat.id)
def test_a_kernel_that_cheats_fails_for_the_stated_reason(
    cheat: HipCheat, judge: Judge, record_figure: RecordFigure
) -> None:
    evidence = judge(cheat.kernel)
    outcome = cheat.outcome(evidence.status, [each.message for each in evidence.findings])
    record_cheat(record_figure, cheat, outcome)

    assert outcome == "caught", _described(evidence)


@pytest.mark.parametrize("name", _expected_to_pass())
def test_an_honest_kernel_passes(name: str, judge: Judge, record_figure: RecordFigure) -> None:
    evidence = judge(HONEST[name])
    passed = evidence.status is Status.PASSED and evidence.tier is Tier.T2
    record_honest(record_figure, name, passed)

    assert passed, _described(evidence)


def _described(evidence: Evidence) -> str:
    reasons = "\n".join(f"{each.status.value}: {each.message}" for each in evidence.findings)
    return f"{evidence.status.value} at {evidence.tier}\n{reasons}"
