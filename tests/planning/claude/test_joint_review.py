"""Kernels of several targets reviewed by one question, each by the step of its own target."""

from pathlib import Path

import pytest

from rocm_pipeline.planning.claude.call import Reason, UnansweredError
from rocm_pipeline.planning.claude.packet import Submission
from rocm_pipeline.planning.claude.reviewer import MAX_KERNELS, ClaudeReviewer, Reviewed
from rocm_pipeline.planning.review import Verdict
from rocm_pipeline.records.questions import QuestionBook
from tests.planning.claude.batch_calls import records_in
from tests.planning.claude.planted import submitted, with_source
from tests.planning.claude.test_reviewer import THREE, Reply, Saying, answer, remark, said

GIVEN = [submitted(name) for name in THREE]


class Desk:
    """Reviews one kernel after another, each beside all."""

    def __init__(self, folder: Path, *replies: Reply) -> None:
        records = records_in(folder)
        self.book = QuestionBook(records.database, records.store)
        self.claude = Saying(*replies)

    def review(self, own: Submission, beside: list[Submission] | None = None) -> Reviewed:
        others = GIVEN if beside is None else beside
        return ClaudeReviewer(self.claude).review_together(own, others, self.book)


def test_the_kernels_reviewed_next_put_the_very_same_question(tmp_path: Path) -> None:
    together = answer(
        said(GIVEN[0]),
        said(GIVEN[1], "changes", upstream=[remark("major", "kernel.hip:9")]),
        said(GIVEN[2]),
    )
    desk = Desk(tmp_path, *[together] * 3)
    found = [desk.review(own) for own in GIVEN]
    assert [one.review.verdict for one in found] == [
        Verdict.APPROVE,
        Verdict.CHANGES,
        Verdict.APPROVE,
    ]
    assert [one.review.subject for one in found] == [own.candidate.id for own in GIVEN]
    first, *others = desk.claude.calls
    assert first.targets == tuple(dict.fromkeys(own.target.name for own in GIVEN))
    assert [call.prompt for call in others] == [first.prompt] * 2


def test_a_kernel_that_changed_since_is_asked_about_alone(tmp_path: Path) -> None:
    changed = with_source("#define THREADS 256", "#define THREADS 128")
    desk = Desk(tmp_path, answer(*map(said, GIVEN)), answer(said(changed)))
    desk.review(GIVEN[1])
    assert desk.review(changed).review.verdict is Verdict.APPROVE
    assert GIVEN[1].candidate.id not in desk.claude.calls[1].prompt


def test_an_invalid_review_is_mended_alone(tmp_path: Path) -> None:
    wrong = said(GIVEN[0], "reject", security=[remark("blocker", "kernel.hip:999")])
    desk = Desk(tmp_path, answer(wrong, *map(said, GIVEN[1:])), answer(said(GIVEN[0])))
    assert desk.review(GIVEN[0]).review.verdict is Verdict.APPROVE
    repair = desk.claude.calls[1].prompt
    assert GIVEN[0].candidate.id in repair
    assert GIVEN[1].evidence.id not in repair


@pytest.mark.parametrize("reason", [Reason.REFUSED, Reason.TRUNCATED, Reason.OVER_BUDGET])
def test_where_the_common_answer_brings_nothing_the_kernel_is_asked_about_alone(
    tmp_path: Path, reason: Reason
) -> None:
    desk = Desk(tmp_path, UnansweredError(reason, "no"), answer(said(GIVEN[0])))
    assert desk.review(GIVEN[0]).attempt_id == "a-2"
    assert GIVEN[1].candidate.id not in desk.claude.calls[1].prompt


def test_more_kernels_than_have_room_are_in_further_questions(tmp_path: Path) -> None:
    many = [
        with_source("#define THREADS 256", f"#define THREADS {32 * number}")
        for number in range(1, MAX_KERNELS + 2)
    ]
    desk = Desk(tmp_path, answer(*map(said, many[:MAX_KERNELS])), answer(said(many[-1])))
    for own in (many[0], many[-1]):
        assert desk.review(own, many).review.verdict is Verdict.APPROVE
    assert many[-1].candidate.id not in desk.claude.calls[0].prompt
