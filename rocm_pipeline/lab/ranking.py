"""Which of two candidates is better, by the evidence alone."""

import math
from statistics import geometric_mean

from rocm_pipeline.lab.evidence import Estimate, Evidence, Speedup, Status


def mean_speedup(evidence: Evidence, architecture: str | None = None) -> tuple[float, float] | None:
    """Return the geometric means of low and of high ends, over cases and one or all architectures.

    None unless the candidate passed and has one usable speed-up for each of its estimates: a
    missing or meaningless figure gives no score, and never counts as 1.
    """
    speedups = tuple(s for s in evidence.speedups if architecture in (None, s.architecture))
    estimates = tuple(e for e in evidence.estimates if architecture in (None, e.architecture))
    if evidence.status is not Status.PASSED or not covers(speedups, estimates):
        return None
    if not all(_is_usable(speedup) for speedup in speedups):
        return None
    return geometric_mean(s.low for s in speedups), geometric_mean(s.high for s in speedups)


def covers(speedups: tuple[Speedup, ...], estimates: tuple[Estimate, ...]) -> bool:
    """Whether there are estimates, and exactly one speed-up for each of them."""
    wanted = sorted((e.architecture, e.case.name) for e in estimates)
    return bool(wanted) and wanted == sorted((s.architecture, s.case.name) for s in speedups)


def score(evidence: Evidence) -> float | None:
    """Return the geometric middle of the mean speed-up; None where there is none."""
    mean = mean_speedup(evidence)
    return math.sqrt(mean[0] * mean[1]) if mean else None


def _is_usable(speedup: Speedup) -> bool:
    return 0 < speedup.low <= speedup.high < math.inf
