"""How good a reviewer is: what it says of the planted kernels, with counts and intervals.

A model is asked only about what rules let pass, as in the pipeline, so its rates are over those
kernels; the rules' own are over all. An unanswered kernel counts neither for nor against a model.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from rocm_pipeline.planning import rule_reviewer
from rocm_pipeline.planning.claude.packet import KERNEL_FILE, Submission
from rocm_pipeline.planning.planted.library import Planted, library_sha256, planted_kernels
from rocm_pipeline.planning.review import Review, Verdict
from rocm_pipeline.planning.rule_reviewer import REVIEWER
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import ArtefactRow

ARTEFACT = "reviewer measurement"
NEAR = 2
"""Lines from the planted one within which a finding is about it."""
_Z = 1.959964
"""Standard normal quantile of a two-sided interval of 95 %."""

ReviewAll = Callable[[Sequence[Submission]], Sequence[Review]]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Trial(_Frozen):
    """One planted kernel and what the reviewer said of it; no verdict where it gave none."""

    kernel: str
    is_bad: bool
    verdict: Verdict | None
    at_the_fault: bool = False
    """Whether a finding that held the kernel back cites the planted line or one beside it."""


class Measurement(_Frozen):
    """What one reviewer said of one library of planted kernels."""

    reviewer: str
    kind: Literal["cross", "final"]
    library: str
    measured_at: float
    """Seconds since the epoch, UTC."""
    trials: tuple[Trial, ...]

    @property
    def answered(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.verdict is not None)

    @property
    def unanswered(self) -> int:
        return len(self.trials) - len(self.answered)

    @property
    def caught(self) -> tuple[int, int]:
        """Bad kernels held back, of how many."""
        return _held_back(trial for trial in self.answered if trial.is_bad)

    @property
    def located(self) -> int:
        """Bad kernels held back for a finding at the planted line."""
        return sum(t.at_the_fault and t.verdict is not Verdict.APPROVE for t in self.answered)

    @property
    def false_alarms(self) -> tuple[int, int]:
        """Honest kernels held back, of how many."""
        return _held_back(trial for trial in self.answered if not trial.is_bad)


def measure(
    reviewer: str, kind: Literal["cross", "final"], review_all: ReviewAll, *, now: float
) -> Measurement:
    """Have every planted kernel reviewed; `reviewer` is a model's name, or `rules`."""
    kernels = planted_kernels()
    reviews = review_all([kernel.submission() for kernel in kernels])
    trials = [
        _trial(kernel, review, of_rules=reviewer == REVIEWER)
        for kernel, review in zip(kernels, reviews, strict=True)
    ]
    return Measurement(
        reviewer=reviewer,
        kind=kind,
        library=library_sha256(),
        measured_at=now,
        trials=tuple(trial for trial in trials if trial is not None),
    )


def measure_rules(kind: Literal["cross", "final"], *, now: float) -> Measurement:
    """Measure the rule-based reviewer."""

    def one(submission: Submission) -> Review:
        target, candidate = submission.target, submission.candidate
        cross = rule_reviewer.cross_review(target, candidate, submission.evidence)
        if kind == "cross":
            return cross
        assert submission.operator is not None
        return rule_reviewer.final_review(
            target, candidate, submission.evidence, submission.operator, cross
        )

    return measure(REVIEWER, kind, lambda given: [one(each) for each in given], now=now)


def wilson(found: int, of: int) -> tuple[float, float]:
    """Return the Wilson score interval of a rate at 95 %; nothing known is 0 to 1."""
    if of == 0:
        return 0.0, 1.0
    rate, square = found / of, _Z**2 / of
    middle = (rate + square / 2) / (1 + square)
    half = math.sqrt(rate * (1 - rate) * square + square**2 / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def table(measurements: Sequence[Measurement]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return header and rows for a report: counts first, then the rate's interval."""
    header = ("reviewer", "review", "bad caught", "at the line", "false alarms", "unanswered")
    rows = [
        (
            m.reviewer,
            m.kind,
            _words(*m.caught),
            str(m.located),
            _words(*m.false_alarms),
            str(m.unanswered),
        )
        for m in measurements
    ]
    return header, rows


def save(records: Records, measurement: Measurement) -> None:
    """Keep a measurement where the report finds it."""
    owner = f"{measurement.kind} {measurement.reviewer}"
    document = measurement.model_dump_json().encode()
    records.save_artefact(document, kind=ARTEFACT, owner_id=owner)


def latest(records: Records) -> list[Measurement]:
    """Return the newest measurement of each reviewer and kind of review, by name."""
    with records.database.reading() as session:
        rows = list(session.scalars(select(ArtefactRow).where(ArtefactRow.kind == ARTEFACT)))
    found = [Measurement.model_validate_json(records.store.get(row.sha256)) for row in rows]
    newest = {(m.kind, m.reviewer): m for m in sorted(found, key=lambda each: each.measured_at)}
    return [newest[key] for key in sorted(newest)]


def _trial(kernel: Planted, review: Review, *, of_rules: bool) -> Trial | None:
    """Return what a review says of a kernel; None for a model that rules left nothing to say."""
    by_rules = review.reviewer == REVIEWER
    if by_rules and not of_rules and not review.unasked:
        return None
    return Trial(
        kernel=kernel.name,
        is_bad=kernel.is_bad,
        verdict=None if review.unasked else review.verdict,
        at_the_fault=_is_at(review, kernel.line),
    )


def _is_at(review: Review, line: int | None) -> bool:
    if line is None:
        return False
    near = {f"{KERNEL_FILE}:{number}" for number in range(line - NEAR, line + NEAR + 1)}
    heavy = [f for f in review.findings if f.severity in ("blocker", "major")]
    return any(finding.cites in near for finding in heavy)


def _held_back(trials: Iterable[Trial]) -> tuple[int, int]:
    verdicts = [trial.verdict for trial in trials]
    return sum(verdict is not Verdict.APPROVE for verdict in verdicts), len(verdicts)


def _words(found: int, of: int) -> str:
    low, high = wilson(found, of)
    return f"{found} of {of} ({low:.0%} to {high:.0%})"
