"""Which of the candidates goes on."""

from collections.abc import Collection, Sequence

from rocm_pipeline.agents.outcome import CandidateSet, ChosenKernel, KernelRound
from rocm_pipeline.lab.ranking import score

WORTH_IT = 1.02
"""Estimated speed-up below which the baseline stays: less is within the estimator's own grain."""


def choose(candidates: CandidateSet, returned: Collection[str] = frozenset()) -> ChosenKernel:
    """Take the candidate with the best estimate, or the baseline when none is better.

    `returned` holds the ids of kernels that a review asked to change: those are passed over.
    """
    passed_over = [found for found in candidates.passed if _id(found) in returned]
    ranked = sorted(
        (
            (value, found)
            for found in candidates.passed
            if found not in passed_over
            and found.evidence
            and (value := score(found.evidence)) is not None
        ),
        key=lambda pair: pair[0],
        reverse=True,
    )
    if not ranked or ranked[0][0] < WORTH_IT or not ranked[0][1].candidate:
        return ChosenKernel(
            target=candidates.target,
            candidate=candidates.baseline,
            evidence=candidates.baseline_evidence,
            is_baseline=True,
            exchange=None,
            reason=_why_baseline(candidates, bool(ranked)) + _without(passed_over),
        )
    best = ranked[0][1]
    assert best.candidate is not None
    assert best.evidence is not None
    return ChosenKernel(
        target=candidates.target,
        candidate=best.candidate,
        evidence=best.evidence,
        is_baseline=False,
        exchange=best.exchange,
        reason=f"best estimate of {len(ranked)} candidates that passed every check"
        + _without(passed_over),
        explanation=best.explanation,
    )


def _id(found: KernelRound) -> str:
    return found.candidate.id if found.candidate else ""


def _without(passed_over: Sequence[KernelRound]) -> str:
    ids = ", ".join(dict.fromkeys(_id(found) for found in passed_over))
    return f", without {ids}, which a review sent back" if ids else ""


def _why_baseline(candidates: CandidateSet, any_ranked: bool) -> str:
    if any_ranked:
        return "no candidate that passed is estimated to be faster than the baseline"
    judged = len(candidates.judged)
    if not judged:
        return "no agent sent a kernel"
    return f"{len(candidates.passed) or 'none'} of {judged} candidates passed every check"
