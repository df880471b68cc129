"""The final reviewer through the real SDK, against a stand-in of Claude's server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rocm_pipeline.planning.claude.call import Purpose
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.economy.account import make_account
from rocm_pipeline.planning.claude.economy.reading import attempt_of
from rocm_pipeline.planning.claude.reviewer import MAX_KERNELS, OF_BASELINE, ClaudeReviewer
from rocm_pipeline.planning.claude.settings import read_settings
from rocm_pipeline.planning.planted.library import planted_kernels
from rocm_pipeline.planning.planted.measure import measure
from rocm_pipeline.planning.review import Verdict
from rocm_pipeline.quoting.blocks import read_blocks
from rocm_pipeline.records.questions import QuestionBook
from rocm_pipeline.records.records import Records
from rocm_pipeline.resources.submissions import submission
from tests.conftest import RecordFigure
from tests.planning.claude.planted import submitted
from tests.reporting.inputs import report_inputs
from tests.standins.claude import KEY, Refuses, Request, StandIn, says, serving


def careful(request: Request) -> str:
    """Approve all kernels but those whose packet shows LDS beyond what a block may have."""
    blocks = read_blocks(request.body["messages"][0]["content"])
    facts = [json.loads(text) for name, text in blocks.items() if name.endswith("FACTS")]
    return json.dumps({"reviews": [judged(each) for each in facts]})


def judged(facts: dict[str, dict[str, dict[str, list[str]]]]) -> dict[str, object]:
    launches = facts["evidence"]["launches"]["at_the_upper_ends_of_all_sizes"]
    too_much = any(
        int(each.split(", ")[1].split(" ")[0]) > 65536 for each in launches if ", " in each
    )
    blocker = {"severity": "blocker", "message": "too much LDS", "cites": "launch_plan.json:2"}
    return {
        "kernel": facts["kernel"],
        "verdict": "reject" if too_much else "approve",
        "architecture": [blocker] if too_much else [],
        "integration": [],
        "security": [],
        "upstream": [],
    }


@pytest.fixture
def server() -> Iterator[StandIn]:
    with serving(says(careful)) as running:
        yield running


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))
    yield records
    records.close()


@pytest.fixture
def reviewer(server: StandIn, records: Records) -> Iterator[ClaudeReviewer]:
    claude = AnthropicClaude(records, read_settings(), key=KEY, url=server.url)
    yield ClaudeReviewer(claude, plan_id="plan-1")
    claude.close()


def test_a_kernel_is_reviewed_and_an_equal_question_is_not_paid_twice(
    reviewer: ClaudeReviewer, records: Records, server: StandIn
) -> None:
    given = [submitted(), submitted("row_in_lds")]
    first = reviewer.review(given)
    assert [each.review.verdict for each in first] == [Verdict.APPROVE, Verdict.REJECT]
    assert reviewer.review(given) == first
    (row,) = records.ledger.attempts()
    assert (row.purpose, row.plan_id, row.target) == ("review", "plan-1", "row_softmax")
    assert {each.attempt_id for each in first} == {row.attempt_id}
    assert len(server.requests) == 1


def test_planted_kernels_take_few_calls(
    reviewer: ClaudeReviewer, server: StandIn, record_figure: RecordFigure
) -> None:
    found = measure(
        "stand-in",
        "final",
        lambda given: [each.review for each in reviewer.review(given)],
        now=1.0,
    )
    assert found.caught == (1, 14)
    assert found.false_alarms == (0, 8)
    assert found.unanswered == 0
    asked = len(planted_kernels()) - 4
    assert len(server.requests) == -(-asked // MAX_KERNELS)
    record_figure("review_calls_for_22_kernels", len(server.requests))


def test_a_later_review_reads_the_instructions_from_the_cache(
    reviewer: ClaudeReviewer, records: Records
) -> None:
    reviewer.review([submitted()])
    reviewer.review([submitted("online")])
    first, second = records.ledger.attempts()
    assert first.tokens_cache_write > 1000
    assert second.tokens_cache_read == first.tokens_cache_write


def test_a_refusal_leaves_the_kernel_to_rules(
    reviewer: ClaudeReviewer, server: StandIn, records: Records
) -> None:
    server.behaviour = lambda _: Refuses()
    (found,) = reviewer.review([submitted()])
    assert (found.review.reviewer, found.review.unasked) == ("rules", "Claude: refused")
    assert [row.status for row in records.ledger.attempts()] == ["REFUSED"]


def test_a_baseline_is_judged_by_rules_and_never_paid_for(
    reviewer: ClaudeReviewer, server: StandIn, records: Records
) -> None:
    inputs = report_inputs()
    own = inputs.kernel.model_copy(update={"is_baseline": True})
    baseline, kernel = (
        submission(inputs.target, chosen, inputs.operator, inputs.cross)
        for chosen in (own, inputs.kernel)
    )
    (alone,) = reviewer.review([baseline])
    book = QuestionBook(records.database, records.store)
    assert reviewer.review_together(baseline, [kernel], book) == alone
    assert (alone.review.reviewer, alone.review.unasked) == ("rules", OF_BASELINE)
    assert (alone.attempt_id, server.requests) == (None, [])
    beside = reviewer.review_together(kernel, [baseline], book)
    assert beside.attempt_id is not None
    (request,) = server.requests
    assert "KERNEL 2 FACTS" not in read_blocks(request.body["messages"][0]["content"])


def test_an_answer_of_another_form_is_mended_once_over_the_wire(
    reviewer: ClaudeReviewer, server: StandIn, records: Records
) -> None:
    server.behaviour = says('{"verdict": "approve"}')
    (found,) = reviewer.review([submitted()])
    assert found.review.unasked == "Claude: invalid"
    rows = records.ledger.attempts()
    assert [(row.purpose, row.round) for row in rows] == [("review", 1), ("review", 2)]
    account = make_account(map(attempt_of, rows), {"row_softmax": ("k-1",)})
    assert account.calls_per_kernel(Purpose.REVIEW) == 2
