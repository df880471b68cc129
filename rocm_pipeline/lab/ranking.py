"""Which of two candidates is better, by the evidence alone."""

import math

from rocm_pipeline.lab.evidence import Evidence, Speedup, Status


def middle(speedup: Speedup) -> float:
    """Return the geometric middle of a speed-up range."""
    return math.sqrt(speedup.low * speedup.high)


def score(evidence: Evidence) -> float | None:
    """Return the geometric mean of the estimated speed-ups over architectures and cases.

    None unless the candidate passed and has speed-ups: a missing figure never counts as one.
    """
    if evidence.status is not Status.PASSED or not evidence.speedups:
        return None
    logs = [math.log(middle(s)) for s in evidence.speedups]
    return math.exp(sum(logs) / len(logs))
