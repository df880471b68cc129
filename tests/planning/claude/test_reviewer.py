"""Claude as final reviewer: several kernels a call, citations, repair, and rules in its place."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from rocm_pipeline.planning.claude.call import (
    Answer,
    Call,
    Form,
    Purpose,
    Reason,
    UnansweredError,
)
from rocm_pipeline.planning.claude.packet import Submission
from rocm_pipeline.planning.claude.review_prompt import review_instructions
from rocm_pipeline.planning.claude.reviewer import MAX_KERNELS, ClaudeReviewer, Reviewed
from rocm_pipeline.planning.review import Heading, Verdict
from tests.planning.claude.planted import submitted, with_source

MODEL = "claude-of-the-test"
Reply = dict[str, Any] | UnansweredError


class Saying:
    """Answers with the next of `replies`; keeps what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.calls: list[Call[Any]] = []
        self.batches = 0

    def ask(self, call: Call[Form]) -> Answer[Form]:
        self.calls.append(call)
        reply = self._replies.pop(0)
        if isinstance(reply, UnansweredError):
            raise reply
        value = call.form.model_validate(reply)
        return Answer(value, f"a-{len(self.calls)}", MODEL, value.model_dump_json())

    def ask_all(self, calls: Sequence[Call[Form]]) -> list[Answer[Form] | UnansweredError]:
        self.batches += 1
        return [self._one(call) for call in calls]

    def _one(self, call: Call[Form]) -> Answer[Form] | UnansweredError:
        try:
            return self.ask(call)
        except UnansweredError as error:
            return error


def said(given: Submission, verdict: str = "approve", **remarks: Any) -> dict[str, Any]:
    headings: dict[str, Any] = {
        "architecture": [],
        "integration": [],
        "security": [],
        "upstream": [],
    }
    return {"kernel": given.candidate.id, "verdict": verdict, **headings, **remarks}


def remark(severity: str, cites: str, message: str = "it is wrong") -> dict[str, str]:
    return {"severity": severity, "message": message, "cites": cites}


def answer(*reviews: dict[str, Any]) -> dict[str, Any]:
    return {"reviews": list(reviews)}


def review(claude: Saying, *given: Submission) -> list[Reviewed]:
    return ClaudeReviewer(claude, plan_id="plan-1", run_id="run-1").review(given)


THREE = ("tree_in_lds", "online", "row_in_lds")


def test_three_kernels_are_reviewed_in_one_call() -> None:
    given = [submitted(name) for name in THREE]
    blocker = remark("blocker", "kernel.hip:6", "256 KiB of LDS")
    claude = Saying(
        answer(
            said(given[2], "reject", architecture=[blocker]),
            said(given[0]),
            said(given[1], "changes", upstream=[remark("major", given[1].evidence.id)]),
        )
    )
    found = review(claude, *given)
    assert [each.review.subject for each in found] == [each.candidate.id for each in given]
    verdicts = [each.review.verdict for each in found]
    assert verdicts == [Verdict.APPROVE, Verdict.CHANGES, Verdict.REJECT]
    assert {each.review.reviewer for each in found} == {f"rules and {MODEL}"}
    assert {each.attempt_id for each in found} == {"a-1"}
    (finding,) = found[2].review.findings
    assert (finding.heading, finding.cites) == (Heading.ARCHITECTURE, "kernel.hip:6")
    (call,) = claude.calls
    assert (call.purpose, call.targets) == (Purpose.REVIEW, ("row_softmax",))
    assert (call.plan_id, call.run_id) == ("plan-1", "run-1")
    assert [(block.text, block.cached) for block in call.system] == [(review_instructions(), True)]


def test_kernels_beyond_what_a_call_holds_go_into_another() -> None:
    given = [
        with_source("THREADS 256", f"THREADS 256\n#define COPY {number}")
        for number in range(MAX_KERNELS + 1)
    ]
    claude = Saying(answer(*map(said, given[:MAX_KERNELS])), answer(said(given[-1])))
    found = ClaudeReviewer(claude).review(given, may_wait=True)
    assert [each.review.verdict for each in found] == [Verdict.APPROVE] * len(given)
    assert (len(claude.calls), claude.batches) == (2, 1)


INVENTED = [
    pytest.param(remark("minor", "kernel.hip:9999"), id="line"),
    pytest.param(remark("minor", "ev-0123456789abcdef"), id="evidence"),
    pytest.param(remark("minor", "secret.cu:1"), id="file"),
]


@pytest.mark.parametrize("invented", INVENTED)
def test_an_invented_citation_is_mended_once(invented: dict[str, str]) -> None:
    good, bad = submitted("online"), submitted()
    claude = Saying(
        answer(said(good), said(bad, security=[invented])),
        answer(said(bad, "changes", security=[remark("major", "kernel.hip:8")])),
    )
    found = review(claude, good, bad)
    assert [each.review.verdict for each in found] == [Verdict.APPROVE, Verdict.CHANGES]
    assert [each.attempt_id for each in found] == ["a-1", "a-2"]
    repair = claude.calls[1]
    assert (repair.purpose, repair.round) == (Purpose.REVIEW, 2)
    assert invented["cites"] in repair.prompt
    assert bad.candidate.id in repair.prompt
    assert "KERNEL 2" not in repair.prompt


@pytest.mark.parametrize("invented", INVENTED)
def test_a_citation_invented_twice_leaves_the_kernel_to_rules(invented: dict[str, str]) -> None:
    given = submitted()
    wrong = answer(said(given, security=[invented]))
    (found,) = review(Saying(wrong, wrong), given)
    assert (found.review.reviewer, found.review.unasked) == ("rules", "Claude: invalid")
    assert found.review.findings == ()
    assert found.attempt_id is None


def test_an_approval_with_a_blocker_is_invalid() -> None:
    given = submitted()
    two_minds = answer(said(given, "approve", security=[remark("blocker", "kernel.hip:8")]))
    clear = answer(said(given, "reject", security=[remark("blocker", "kernel.hip:8")]))
    claude = Saying(two_minds, clear)
    (found,) = review(claude, given)
    assert found.review.verdict is Verdict.REJECT
    assert "the verdict is approve, its findings say reject" in claude.calls[1].prompt


@pytest.mark.parametrize("times", [0, 2])
def test_a_kernel_that_is_missing_or_there_twice_is_asked_for_again(times: int) -> None:
    first, second = submitted(), submitted("online")
    claude = Saying(answer(said(first), *[said(second)] * times), answer(said(second)))
    found = review(claude, first, second)
    assert [each.review.unasked for each in found] == ["", ""]
    assert [each.attempt_id for each in found] == ["a-1", "a-2"]


def test_what_is_said_of_a_kernel_that_nobody_asked_about_is_dropped() -> None:
    given = submitted()
    other = said(given) | {"kernel": "k-0123456789abcdef"}
    (found,) = review(Saying(answer(said(given), other)), given)
    assert found.review.subject == given.candidate.id


@pytest.mark.parametrize("reason", list(Reason))
def test_whatever_keeps_claude_from_answering_rules_take_over_and_say_so(reason: Reason) -> None:
    given = [submitted(name) for name in THREE]
    claude = Saying(UnansweredError(reason, "why"))
    found = review(claude, *given)
    assert [each.review.unasked for each in found] == [f"Claude: {reason.value}"] * 3
    assert {each.review.reviewer for each in found} == {"rules"}
    assert {each.review.verdict for each in found} == {Verdict.APPROVE}
    assert len(claude.calls) == 1


def test_an_answer_in_another_form_is_mended_once() -> None:
    given = submitted()
    claude = Saying(
        UnansweredError(Reason.INVALID, "reviews: missing", text='{"verdict": "ok"}'),
        answer(said(given)),
    )
    (found,) = review(claude, given)
    assert found.review.reviewer == f"rules and {MODEL}"
    assert "reviews: missing" in claude.calls[1].prompt
    assert '{"verdict": "ok"}' in claude.calls[1].prompt


def test_a_repair_that_is_not_answered_leaves_the_kernel_to_rules() -> None:
    given = submitted()
    claude = Saying(answer(), UnansweredError(Reason.OVER_BUDGET, "spent"))
    (found,) = review(claude, given)
    assert found.review.unasked == "Claude: over budget"


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("public_cases_only", Verdict.REJECT),
        ("evidence_of_another", Verdict.REJECT),
        ("one_architecture_left_out", Verdict.REJECT),
        ("slower_on_one_architecture", Verdict.CHANGES),
    ],
)
def test_what_rules_hold_back_stays_held_back_and_costs_no_call(
    name: str, verdict: Verdict
) -> None:
    claude = Saying()
    (found,) = review(claude, submitted(name))
    assert (found.review.verdict, found.review.reviewer) == (verdict, "rules")
    assert claude.calls == []


def test_claude_adds_to_what_rules_found_and_removes_nothing() -> None:
    given = submitted()
    first, *others = given.evidence.compiles
    spilling = first.kernels[0].model_copy(update={"vgpr_spills": 3})
    compiles = (first.model_copy(update={"kernels": (spilling,)}), *others)
    evidence = given.evidence.model_copy(update={"compiles": compiles})
    assert given.cross is not None
    cross = given.cross.model_copy(update={"evidence_ids": (evidence.id,)})
    spills = replace(given, evidence=evidence, cross=cross)
    claude = Saying(answer(said(spills, "changes", upstream=[remark("major", "kernel.hip:4")])))
    (found,) = review(claude, spills)
    assert [f.severity for f in found.review.findings] == ["minor", "major"]
    assert found.review.verdict is Verdict.CHANGES


def test_a_kernel_that_cannot_be_shown_whole_is_not_sent() -> None:
    long = with_source("#define THREADS", "int x;\n" * 9000 + "#define THREADS")
    claude = Saying()
    (found,) = review(claude, long)
    assert "not asked, kernel.hip is longer" in found.review.unasked
    assert claude.calls == []


def test_the_same_kernel_with_other_evidence_has_a_review_of_its_own() -> None:
    given = [submitted("slower_on_one_architecture"), submitted("one_wave_a_row")]
    assert given[0].candidate.id == given[1].candidate.id
    found = review(Saying(answer(said(given[1]))), *given)
    assert [each.review.verdict for each in found] == [Verdict.CHANGES, Verdict.APPROVE]
    twice = review(Saying(answer(said(given[1])), answer(said(given[1]))), given[1], given[1])
    assert [each.attempt_id for each in twice] == ["a-1", "a-2"]


def test_too_many_findings_are_refused() -> None:
    given = submitted()
    many = answer(said(given, security=[remark("note", "kernel.hip:4")] * 13))
    (found,) = review(Saying(many, many), given)
    assert found.review.unasked == "Claude: invalid"


def test_words_of_a_finding_are_made_visible_and_cut() -> None:
    given = submitted()
    loud = remark("major", "kernel.hip:4", "a\u200b" + "b" * 5000)
    (found,) = review(Saying(answer(said(given, "changes", security=[loud]))), given)
    (finding,) = found.review.findings
    assert finding.message.startswith("a<U+200B>b")
    assert len(finding.message) < 700


@pytest.mark.parametrize("missing", ["operator", "cross"])
def test_a_final_review_needs_operator_and_cross_review(missing: str) -> None:
    given = submitted()
    with pytest.raises(ValueError, match="needs the operator's record"):
        review(Saying(), replace(given, **{missing: None}))


def test_the_instructions_are_long_enough_to_be_cached_and_name_every_heading() -> None:
    text = review_instructions()
    assert len(text) > 4 * 1024
    for heading in Heading:
        assert heading.value in text
