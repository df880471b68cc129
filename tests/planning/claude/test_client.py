from contextlib import suppress
from pathlib import Path

import pytest

from rocm_pipeline.planning.claude.call import Block, Purpose, Reason, UnansweredError
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.settings import read_settings
from rocm_pipeline.planning.claude.wire import params, prompt_at_most
from rocm_pipeline.records.records import Records
from tests.planning.claude.desk import (
    GOOD,
    Sketch,
    assert_tally_is_the_ledger,
    call,
    desk,
    with_budget,
)
from tests.standins.claude import (
    KEY,
    Ending,
    Fails,
    Refuses,
    Says,
    UsesTool,
    in_turn,
)


def test_an_answer_comes_in_the_form_that_was_asked_for(tmp_path: Path) -> None:
    with desk(tmp_path, Says(GOOD, thinking_tokens=40)) as at:
        answer = at.claude.ask(call())
        assert answer.value == Sketch(words=["split", "merge"], count=2)
        assert (answer.model, answer.text) == ("claude-opus-5-5", GOOD)
        row = at.row
        assert (answer.attempt_id, row.status, row.stop_reason) == (
            row.attempt_id,
            "OK",
            "end_turn",
        )
        assert (row.provider, row.host, row.http_status) == ("anthropic", at.server.url, 200)
        assert (row.tokens_thinking, row.service_tier) == (40, "standard")
        assert row.request_id is not None
        assert row.request_id.startswith("req_")
        assert row.t_first is not None
        assert row.price_version.startswith("claude-opus-5-5@")
        assert_tally_is_the_ledger(at)


def test_a_shared_prefix_is_read_from_the_cache_and_billed_so(tmp_path: Path) -> None:
    with desk(tmp_path, Says(GOOD)) as at:
        for target in ("row_softmax", "flash_attention"):
            at.claude.ask(call(prompt=f"Sketch {target}.", targets=(target,)))
        first, second = at.rows
        assert first.tokens_cache_write > 1024
        assert second.tokens_cache_read == first.tokens_cache_write
        assert second.tokens_cache_write == 0
        assert second.usd < first.usd
        expected = (
            4 * second.tokens_in + 0.20 * second.tokens_cache_read + 20 * second.tokens_out
        ) / 1e6
        assert second.usd == pytest.approx(expected, abs=1e-12)
        assert_tally_is_the_ledger(at)


def test_a_cache_for_an_hour_is_counted_apart(tmp_path: Path) -> None:
    with desk(tmp_path, Says(GOOD), read_settings().model_copy(update={"cache_ttl": "1h"})) as at:
        at.claude.ask(call())
        assert at.row.tokens_cache_write_1h == at.row.tokens_cache_write > 1024
        assert_tally_is_the_ledger(at)


def test_an_equal_call_is_answered_without_a_second_one(tmp_path: Path) -> None:
    with desk(tmp_path, Says(GOOD)) as at:
        first = at.claude.ask(call())
        again = at.claude.ask(call(run_id="run-2", round=3, purpose=Purpose.PLAN))
        assert again == first
        assert (at.asked, len(at.rows), at.server.tally.duplicates) == (1, 1, 0)


def test_an_answer_outside_its_bounds_is_invalid_in_the_validators_words(tmp_path: Path) -> None:
    with desk(tmp_path, Says('{"words": [], "count": 12}')) as at:
        error = at.refused()
        assert error.reason is Reason.INVALID
        assert "count: Input should be less than or equal to 9" in error.detail
        assert error.text == '{"words": [], "count": 12}'
        assert (at.row.status, at.row.attempt_id) == ("INVALID", error.attempt_id)
        assert_tally_is_the_ledger(at)


def test_what_is_no_json_is_invalid(tmp_path: Path) -> None:
    with desk(tmp_path, Says("I would split it.")) as at:
        assert at.refused().reason is Reason.INVALID


@pytest.mark.parametrize(
    ("ending", "reason", "status", "stop_reason"),
    [
        (Says("{}", thinking_tokens=3000), Reason.TRUNCATED, "TRUNCATED", "max_tokens"),
        (Refuses("frontier_llm", text="I"), Reason.REFUSED, "REFUSED", "refusal"),
        (Refuses(None, None), Reason.REFUSED, "REFUSED", "refusal"),
        (UsesTool("shell", {"command": "ls"}), Reason.INVALID, "INVALID", "tool_use"),
        (Says(GOOD, model="some-other-model"), Reason.INVALID, "WRONG_MODEL", "end_turn"),
    ],
)
def test_an_answer_that_is_none_is_paid_booked_and_not_asked_for_again(
    tmp_path: Path, ending: Ending, reason: Reason, status: str, stop_reason: str
) -> None:
    with desk(tmp_path, ending) as at:
        assert at.refused().reason is reason
        assert (at.row.status, at.row.stop_reason) == (status, stop_reason)
        assert at.row.usd > 0
        assert_tally_is_the_ledger(at)
        assert at.refused().reason is reason
        assert (at.asked, len(at.rows)) == (1, 1)


def test_a_refusal_names_its_category(tmp_path: Path) -> None:
    with desk(tmp_path, Refuses("frontier_llm", "No.")) as at:
        assert at.refused().detail == "frontier_llm: No."
        assert at.row.stop_category == "frontier_llm"


def test_no_credit_is_told_at_once(tmp_path: Path) -> None:
    with desk(tmp_path, Fails(402, "credit balance is too low")) as at:
        error = at.refused()
        assert error.reason is Reason.NOT_PAID
        assert "credit balance is too low" in error.detail
        assert (at.asked, at.waited, at.row.status, at.row.usd) == (1, [], "NOT_PAID", 0.0)


@pytest.mark.parametrize(
    ("status", "reason"), [(400, Reason.REJECTED), (404, Reason.REJECTED), (413, Reason.REJECTED)]
)
def test_a_request_that_is_not_taken_is_not_sent_again(
    tmp_path: Path, status: int, reason: Reason
) -> None:
    with desk(tmp_path, Fails(status, "what is this")) as at:
        assert at.refused().reason is reason
        assert (at.asked, at.row.status, at.row.http_status) == (1, "REJECTED", status)


def test_a_key_that_is_not_let_in_is_no_key(tmp_path: Path) -> None:
    with desk(tmp_path, Says(GOOD)) as at:
        wrong = AnthropicClaude(at.records, read_settings(), key="wrong", url=at.server.url)
        with pytest.raises(UnansweredError) as caught:
            wrong.ask(call())
        assert caught.value.reason is Reason.NO_KEY
        assert (at.row.status, at.row.usd) == ("REJECTED", 0.0)


@pytest.mark.parametrize(
    ("fails", "status", "pause"),
    [
        (Fails(429, retry_after=7), "RATE_LIMITED", 7.0),
        (Fails(429), "RATE_LIMITED", 0.5),
        (Fails(529), "SERVER_BUSY", 0.5),
        (Fails(503, kind="overloaded_error"), "SERVER_BUSY", 0.5),
    ],
)
def test_a_server_that_says_later_is_asked_later(
    tmp_path: Path, fails: Fails, status: str, pause: float
) -> None:
    with desk(tmp_path, in_turn(fails, Says(GOOD))) as at:
        assert at.claude.ask(call()).text == GOOD
        assert at.waited == [pause]
        assert [(row.status, row.attempt_no) for row in at.rows] == [(status, 1), ("OK", 2)]
        assert at.rows[0].usd == 0.0
        assert_tally_is_the_ledger(at)


def test_attempts_and_pauses_have_an_end(tmp_path: Path) -> None:
    with desk(tmp_path, Fails(529)) as at:
        assert at.refused().reason is Reason.RATE_LIMITED
        assert (at.asked, at.waited) == (3, [0.5, 1.0])
    with desk(tmp_path / "2", Fails(429, retry_after=100_000)) as at:
        assert at.refused().reason is Reason.RATE_LIMITED
        assert (at.asked, at.waited) == (1, [])


def test_a_server_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    with desk(tmp_path, Says(GOOD)) as at:
        url = at.server.url
    records = Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))
    claude = AnthropicClaude(records, read_settings(), key=KEY, url=url, sleep=lambda _: None)
    with pytest.raises(UnansweredError) as caught:
        claude.ask(call())
    assert caught.value.reason is Reason.UNREACHABLE
    rows = records.ledger.attempts()
    assert [row.status for row in rows] == ["UNREACHABLE"] * 3
    assert sum(row.usd for row in rows) == 0.0
    # nobody counted the prompt, so that its bytes are the bound
    assert {row.tokens_at_most for row in rows} == {
        prompt_at_most(params(call(), read_settings())) + 2000
    }


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({"run": {"usd": 0.06}}, "the budget of the run: "),
        ({"day": {"usd": 0.06}}, "the budget of the day: "),
        ({"target": {"usd": 0.06}}, "the budget of target row_softmax: "),
        ({"target": {"tokens": 4000}}, "the budget of target row_softmax: "),
    ],
)
def test_a_call_whose_worst_case_would_pass_a_budget_is_not_made(
    tmp_path: Path, budget: dict[str, dict[str, float]], words: str
) -> None:
    with desk(tmp_path, Says(GOOD), with_budget(**budget)) as at:
        at.claude.ask(call())
        error = at.refused(call(prompt="Sketch it again."))
        assert error.reason is Reason.OVER_BUDGET
        assert error.detail.startswith(words)
        assert (at.asked, len(at.rows)) == (1, 1)
        assert at.claude.ask(call()).text == GOOD, "what is on record costs nothing"


def test_another_run_or_target_has_its_own_budget(tmp_path: Path) -> None:
    settings = with_budget(run={"usd": 0.06}, target={"usd": 0.06})
    with desk(tmp_path, Says(GOOD), settings) as at:
        at.claude.ask(call())
        at.claude.ask(call(prompt="And this.", run_id="run-2", targets=("flash_attention",)))
        assert at.asked == 2


def test_targets_that_share_a_call_bear_it_in_equal_parts(tmp_path: Path) -> None:
    targets = ("row_softmax", "flash_attention", "vae_decoder_block")
    with desk(tmp_path, Says(GOOD)) as at:
        at.claude.ask(call(targets=targets))
        whole = at.records.ledger.totals().claude
        parts = [at.records.ledger.totals(target=target).claude for target in targets]
        assert sum(part.tokens for part in parts) == whole.tokens
        assert max(part.tokens for part in parts) - min(part.tokens for part in parts) <= 4
        assert sum(part.usd for part in parts) == pytest.approx(whole.usd)


def test_calls_that_may_wait_are_asked_one_by_one_where_batches_are_off(tmp_path: Path) -> None:
    settings = read_settings().model_copy(update={"batch": False})
    with desk(tmp_path, in_turn(Says(GOOD), Refuses()), settings) as at:
        good, refused = at.claude.ask_all([call(), call(prompt="Another.")])
        assert not isinstance(good, UnansweredError)
        assert isinstance(refused, UnansweredError)
        assert at.asked == 2


def test_calls_that_may_wait_are_asked_in_a_batch_at_half_price(tmp_path: Path) -> None:
    with desk(tmp_path, Says(GOOD)) as at:
        answers = at.claude.ask_all([call(), call(prompt="Another.")])
        assert [isinstance(answer, UnansweredError) for answer in answers] == [False, False]
        assert at.asked == 0
        assert {row.service_tier for row in at.rows} == {"batch"}
        assert_tally_is_the_ledger(at)
        assert at.claude.ask(call()).text == GOOD
        assert at.asked == 0


def test_the_bound_on_a_prompt_is_the_servers_count_with_a_margin(tmp_path: Path) -> None:
    with desk(tmp_path, Says(GOOD)) as at:
        at.claude.ask(call())
        prompt = at.server.tally.total().prompt
        assert prompt + 2000 < at.row.tokens_at_most <= 1.2 * prompt + 2000
        assert at.row.usd < at.row.usd_at_most


def test_a_text_is_counted_by_the_server_without_an_attempt(tmp_path: Path) -> None:
    with desk(tmp_path, Says(GOOD)) as at:
        assert at.claude.count("claude-haiku-5-5", "x" * 400) == 100
        assert at.rows == []
    assert at.claude.count("claude-haiku-5-5", "x" * 400) is None


SECRET = "sk-ant-" + "0123456789abcdef" * 3
"""In the form of a key."""


def test_no_key_is_in_what_is_kept_sent_or_told(tmp_path: Path) -> None:
    behaviour = in_turn(Fails(400, f"what is {SECRET}"), Says(f'{{"words": ["{SECRET}"]}}'))
    with desk(tmp_path, behaviour) as at:
        asked = call(prompt=f"Sketch {SECRET}.", system=(Block(f"Of {SECRET}."),))
        errors = [at.refused(asked), at.refused(asked)]
        assert [error.reason for error in errors] == [Reason.REJECTED, Reason.INVALID]
        told = [f"{error} {error.detail} {error.text}" for error in errors]
        sent = [f"{request.system} {request.prompt}" for request in at.server.requests]
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) == 4, "records, prompt, options, answer"
    for secret in (KEY, SECRET):
        assert not any(secret.encode() in content for content in kept)
        assert not any(secret in text for text in (*told, *sent))
    assert all("[redacted]" in text for text in sent)


def test_a_run_of_many_calls_is_in_the_ledger_as_the_server_counted_it(tmp_path: Path) -> None:
    turns = [Says(GOOD), Refuses(text="I"), Says("{}"), Fails(529), Says(GOOD, thinking_tokens=9)]
    with desk(tmp_path, in_turn(*turns, *turns, Says(GOOD))) as at:
        for number in range(12):
            with suppress(UnansweredError):
                at.claude.ask(call(prompt=f"Sketch number {number}."))
        assert len(at.rows) == at.asked == 14
        assert len(at.server.tally.charged) == 12
        assert_tally_is_the_ledger(at)
