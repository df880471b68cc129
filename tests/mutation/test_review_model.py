"""What a review may say: an approval rests on evidence, a rejection on a blocker."""

from typing import Any

import pytest
from pydantic import ValidationError

from rocm_pipeline.planning.review import Heading, Review, ReviewFinding, Verdict


def review(**changes: Any) -> Review:
    fields: dict[str, Any] = {
        "subject": "k",
        "reviewer": "rules",
        "kind": "final",
        "verdict": Verdict.APPROVE,
        "findings": (),
        "evidence_ids": ("ev-1",),
    }
    return Review(**{**fields, **changes})


def remark(severity: Any) -> ReviewFinding:
    return ReviewFinding(heading=Heading.UPSTREAM, severity=severity, message="m", cites="c")


def test_an_approval_holds_no_blocker_and_cites_evidence() -> None:
    review(findings=(remark("major"),))
    for wrong in ({"findings": (remark("blocker"),)}, {"evidence_ids": ()}):
        with pytest.raises(ValidationError, match="an approval"):
            review(**wrong)
    review(verdict=Verdict.CHANGES, evidence_ids=())


def test_a_rejection_needs_a_blocker() -> None:
    with pytest.raises(ValidationError, match="a rejection needs a blocker"):
        review(verdict=Verdict.REJECT, findings=(remark("major"),))
    review(verdict=Verdict.REJECT, findings=(remark("blocker"),))
    review(verdict=Verdict.CHANGES, findings=(remark("blocker"),))


def test_a_review_is_what_it_was_written_as() -> None:
    with pytest.raises(ValidationError):
        review().verdict = Verdict.REJECT  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValidationError):
        remark("note").severity = "minor"  # pyright: ignore[reportAttributeAccessIssue]
    for wrong in ({"more": 1}, {"kind": "x"}):
        with pytest.raises(ValidationError):
            review(**wrong)
    with pytest.raises(ValidationError):
        ReviewFinding.model_validate({**remark("note").model_dump(), "more": 1})
    assert review().id.startswith("review-")
    assert len(review().id) == len("review-") + 16
    assert review().id != review(verdict=Verdict.CHANGES).id
    assert Review.model_validate(review().model_dump()) == review()
