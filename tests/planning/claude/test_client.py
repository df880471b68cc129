import subprocess
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from rocm_pipeline.planning.claude.call import Block, Call, Purpose, Reason, UnansweredError
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.settings import ClaudeSettings, Limit, OnUnknown, read_settings
from rocm_pipeline.planning.claude.wire import params, prompt_at_most
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow
from tests.standins.claude import (
    KEY,
    Behaviour,
    Ending,
    Fails,
    Lost,
    Refuses,
    Says,
    StandIn,
    Then,
    UsesTool,
    in_turn,
    serving,
)

GOOD = '{"words": ["split", "merge"], "count": 2}'
PREFIX = "You plan the work on kernels. " * 200
"""Long enough to be cached: more than 1024 tokens."""


class Sketch(BaseModel):
    """An answer with a bound that no schema of the API can hold."""

    model_config = ConfigDict(extra="forbid")

    words: list[str]
    count: int = Field(ge=1, le=9)


def call(**changes: Any) -> Call[Sketch]:
    asked: dict[str, Any] = {
        "purpose": Purpose.PLAN,
        "targets": ("row_softmax",),
        "system": (Block(PREFIX, cached=True), Block("One sketch each.")),
        "prompt": "Sketch row_softmax.",
        "form": Sketch,
        "max_tokens": 2000,
        "run_id": "run-1",
    }
    return Call(**{**asked, **changes})


@dataclass
class Desk:
    """A client, its records, and the server that it talks to."""

    claude: AnthropicClaude
    records: Records
    server: StandIn
    waited: list[float]

    @property
    def rows(self) -> list[AttemptRow]:
        return self.records.ledger.attempts()

    @property
    def row(self) -> AttemptRow:
        (row,) = self.rows
        return row

    @property
    def asked(self) -> int:
        return self.server.tally.requests["POST /v1/messages"]

    def refused(self, asked: Call[Sketch] | None = None) -> UnansweredError:
        with pytest.raises(UnansweredError) as caught:
            self.claude.ask(asked or call())
        return caught.value


@contextmanager
def desk(
    folder: Path, behaviour: Behaviour | Ending, settings: ClaudeSettings | None = None
) -> Generator[Desk, None, None]:
    answered = behaviour if callable(behaviour) else in_turn(behaviour)
    waited: list[float] = []
    with serving(answered) as server:
        records = Records.open(str(folder / "records.db"), str(folder / "store"))
        claude = AnthropicClaude(
            records,
            settings or read_settings(),
            key=KEY,
            url=server.url,
            sleep=waited.append,
        )
        yield Desk(claude, records, server, waited)
        claude.close()
        records.close()


def with_budget(**limits: dict[str, float]) -> ClaudeSettings:
    settings = read_settings()
    changed = {name: Limit.model_validate(limit) for name, limit in limits.items()}
    return settings.model_copy(update={"budgets": settings.budgets.model_copy(update=changed)})


def assert_tally_is_the_ledger(at: Desk) -> None:
    charge, total = at.server.tally.total(), at.records.ledger.totals().claude
    assert (charge.fresh, charge.write, charge.write_1h, charge.read, charge.out) == (
        total.tokens_in,
        total.tokens_cache_write,
        total.tokens_cache_write_1h,
        total.tokens_cache_read,
        total.tokens_out,
    )
    assert charge.thinking == sum(row.tokens_thinking for row in at.rows)


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
        if status != "WRONG_MODEL":
            assert at.refused().reason is reason
            assert at.asked == 1


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
        (Fails(500), "SERVER_ERROR", 0.5),
        (Fails(503), "SERVER_BUSY", 0.5),
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
    with desk(tmp_path / "2", Fails(500)) as at:
        assert at.refused().reason is Reason.UNREACHABLE
    with desk(tmp_path / "3", Fails(429, retry_after=100_000)) as at:
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


@pytest.mark.parametrize("events", [0, 1, 4])
def test_a_call_whose_connection_breaks_after_the_charge_is_held_at_its_worst_case(
    tmp_path: Path, events: int
) -> None:
    with desk(tmp_path, in_turn(Lost(Says(GOOD), events=events), Says(GOOD))) as at:
        assert at.refused().reason is Reason.HELD
        row = at.row
        assert (row.status, row.usd_is_bound) == ("UNKNOWN", True)
        charge = at.server.tally.total()
        paid = (4 * charge.fresh + 5 * charge.write + 0.2 * charge.read + 20 * charge.out) / 1e6
        assert paid < row.usd <= row.usd_at_most
        if events:
            assert row.tokens_cache_write == charge.write
            assert row.tokens_in == charge.fresh
        held = at.refused()
        assert held.reason is Reason.HELD
        assert row.attempt_id == held.attempt_id
        assert "its answer is lost" in held.detail
        assert (at.asked, len(at.rows)) == (1, 1)
        assert at.records.ledger.totals().claude.usd_of_bounds == row.usd


def test_a_call_whose_connection_breaks_before_the_charge_is_held_all_the_same(
    tmp_path: Path,
) -> None:
    with desk(tmp_path, in_turn(Lost(), Says(GOOD))) as at:
        assert at.refused().reason is Reason.HELD
        assert at.row.usd == at.row.usd_at_most > 0


def test_an_answer_that_is_whole_counts_though_the_stream_breaks_after_it(tmp_path: Path) -> None:
    all_but_the_last = 8  # start, ping, start of the block, three parts, its end, message_delta
    with desk(tmp_path, Lost(Says(GOOD), events=all_but_the_last)) as at:
        assert at.claude.ask(call()).text == GOOD
        assert at.row.usd_is_bound is False
        assert_tally_is_the_ledger(at)


def test_an_error_within_a_stream_may_have_been_charged(tmp_path: Path) -> None:
    with desk(tmp_path, Lost(Says(GOOD), events=3, error=Fails(529, "overloaded"))) as at:
        assert at.refused().reason is Reason.HELD
        assert (at.row.status, at.row.usd_is_bound, at.row.http_status) == (
            "SERVER_BUSY",
            True,
            200,
        )


def test_by_configuration_a_lost_call_is_sent_again_and_both_are_booked(tmp_path: Path) -> None:
    settings = read_settings().model_copy(update={"unknown": OnUnknown.RESEND})
    behaviour = in_turn(Lost(Says(GOOD), events=1), Says(GOOD))
    with desk(tmp_path, behaviour, settings) as at:
        assert at.claude.ask(call()).text == GOOD
        assert [row.status for row in at.rows] == ["UNKNOWN", "OK"]
        assert [row.usd_is_bound for row in at.rows] == [True, False]
        assert at.server.tally.duplicates == 1


def test_a_call_that_is_stopped_is_booked_at_its_worst_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk(tmp_path, Says(GOOD)) as at:

        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        # where Ctrl-C finds the client while it waits for the stream
        monkeypatch.setattr("anthropic.lib.streaming._messages.accumulate_event", interrupt)
        with pytest.raises(KeyboardInterrupt):
            at.claude.ask(call())
        monkeypatch.undo()
        assert (at.row.status, at.row.usd) == ("CANCELLED", at.row.usd_at_most)
        assert at.refused().reason is Reason.HELD
        assert at.server.tally.duplicates == 0


def test_two_equal_calls_at_once_are_paid_once(tmp_path: Path) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def meet() -> None:
        arrived.set()
        go_on.wait(10)

    with desk(tmp_path, Then(Says(GOOD), meet)) as at:
        first = threading.Thread(target=lambda: at.claude.ask(call()))
        first.start()
        assert arrived.wait(10)
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(at.claude.ask, call())
            with pytest.raises(FutureTimeoutError):
                second.result(0.3)
            go_on.set()
            assert second.result(10).text == GOOD
        first.join()
        assert (len(at.server.tally.charged), at.server.tally.duplicates) == (1, 0)


KILLED = """
import os, signal, sys
from tests.planning.claude.test_client import call
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.settings import read_settings
from rocm_pipeline.records.records import Records
folder, url, key = sys.argv[1:]
records = Records.open(folder + "/records.db", folder + "/store")
records.journal.finish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
AnthropicClaude(records, read_settings(), key=key, url=url).ask(call())
"""


def test_a_process_that_is_killed_in_a_call_leaves_it_at_its_worst_case(tmp_path: Path) -> None:
    with desk(tmp_path, Says(GOOD)) as at:
        ended = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path), at.server.url, KEY],
            capture_output=True,
            text=True,
        )
        assert ended.returncode == -9, ended.stderr
        assert at.refused().reason is Reason.HELD
        assert (at.row.status, at.row.usd, at.row.usd_is_bound) == (
            "UNKNOWN",
            at.row.usd_at_most,
            True,
        )
        assert at.server.tally.duplicates == 0


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
