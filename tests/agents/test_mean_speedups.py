"""A mean speed-up is told only where every estimate has one."""

import pytest

from rocm_pipeline.agents.brief import EstimateSummary, EvidenceSummary
from rocm_pipeline.agents.embedded.kernels import mean_speedup_of
from rocm_pipeline.agents.round_note import RoundNote
from rocm_pipeline.lab.evidence import Evidence, Status


def told(evidence: Evidence) -> dict[str, tuple[float | None, float | None]]:
    found = EvidenceSummary.of(evidence).estimates
    return {e.architecture: (e.speedup_low, e.speedup_high) for e in found}


def test_an_architecture_with_a_case_without_a_speed_up_has_no_mean(passed: Evidence) -> None:
    assert told(passed) == {"gfx942": (2.0, 8.0), "gfx1100": (2.0, 8.0)}
    first = passed.estimates[0]
    other = first.model_copy(update={"case": first.case.model_copy(update={"scale": 3.0})})
    # left aside the record's own rules: what is told must not rest on them
    gap = passed.model_copy(update={"estimates": (*passed.estimates, other)})
    assert told(gap) == {"gfx942": (None, None), "gfx1100": (2.0, 8.0)}
    wrong = passed.model_copy(update={"status": Status.WRONG_VALUE})
    assert set(told(wrong).values()) == {(None, None)}


def note(*speedups: float | None) -> RoundNote:
    estimates = tuple(
        EstimateSummary(
            architecture=f"gfx{number}",
            low_microseconds=1.0,
            high_microseconds=2.0,
            bottlenecks=(),
            speedup_low=speedup,
            speedup_high=speedup,
        )
        for number, speedup in enumerate(speedups)
    )
    return RoundNote(round=1, estimates=estimates)


def test_the_embedded_agent_ranks_by_whole_means_alone() -> None:
    assert mean_speedup_of(note(2.0, 8.0)) == pytest.approx(4.0)
    assert mean_speedup_of(note(2.0, None)) is None
    assert mean_speedup_of(note()) is None
