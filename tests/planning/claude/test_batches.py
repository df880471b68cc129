"""Calls that may wait: answered in one batch, at half price, and never sent twice."""

import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from rocm_pipeline.planning.claude.call import Answer, Reason, UnansweredError
from rocm_pipeline.planning.claude.settings import OnUnknown, read_settings
from rocm_pipeline.records.journal import Received
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow
from tests.planning.claude.batch_calls import (
    QUICK,
    Echo,
    batches_of,
    echo,
    question,
    records_in,
)
from tests.standins.claude import (
    Accepts,
    Cancels,
    Ending,
    Expires,
    Fails,
    Lost,
    Refuses,
    Says,
    StandIn,
    in_turn,
    says,
    serving,
)

Outcomes = list[Answer[Echo] | UnansweredError]


@pytest.fixture
def server() -> Generator[StandIn, None, None]:
    with serving(says(echo), minimum_prefix=1024) as stand_in:
        yield stand_in


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return records_in(tmp_path)


def said(outcomes: Outcomes) -> list[str | Reason]:
    return [one.value.said if isinstance(one, Answer) else one.reason for one in outcomes]


def created(server: StandIn) -> int:
    return server.tally.requests["POST /v1/messages/batches"]


def rows(records: Records) -> list[AttemptRow]:
    return records.ledger.attempts()


def test_several_questions_go_in_one_batch_and_the_answers_come_in_their_order(
    server: StandIn, records: Records
) -> None:
    names = ["one", "two", "three"]
    answers = batches_of(records, server.url).ask_all([question(name) for name in names])
    assert said(answers) == names
    assert created(server) == 1
    assert server.requests == []
    entries = {entry.custom_id for entry in server.batches.kept[0].requests}
    assert entries == {one.attempt_id for one in answers if isinstance(one, Answer)}


def test_an_attempt_in_a_batch_has_its_tokens_and_half_the_price(
    server: StandIn, records: Records
) -> None:
    batches_of(records, server.url).ask_all([question("how much?")])
    (row,) = rows(records)
    charge = server.tally.of(row.attempt_id)
    assert (row.tokens_in, row.tokens_out) == (charge.fresh, charge.out)
    assert row.usd == pytest.approx((charge.fresh * 4 + charge.out * 20) / 1e6 / 2)
    assert row.status == Outcome.OK.value
    assert row.service_tier == "batch"
    assert row.batch_id == server.batches.kept[0].batch_id
    assert 0 < row.usd < row.usd_at_most


def test_a_shared_prefix_is_kept_for_the_hour_that_a_batch_may_take(
    server: StandIn, records: Records
) -> None:
    shared = "what every question of a night begins with " * 200
    calls = [question(name, system=shared) for name in ("a", "b", "c")]
    batches_of(records, server.url).ask_all(calls)
    total = server.tally.total()
    assert total.write_5m == 0
    assert total.read == 2 * total.write_1h > 0
    totals = records.ledger.totals().claude
    assert (totals.tokens_cache_write, totals.tokens_cache_read) == (total.write, total.read)


def test_each_entry_ends_in_its_own_way(server: StandIn, records: Records) -> None:
    endings: dict[str, Ending] = {
        "well": Says('{"said": "well"}'),
        "refused": Refuses("frontier_llm"),
        "cut": Says('{"said": "' + "x" * 1000 + '"}'),
        "odd": Says('{"other": 1}'),
        "other": Says('{"said": "other"}', model="some-other-model"),
        "bad": Fails(400),
        "failed": Fails(500),
        "canceled": Cancels(),
        "expired": Expires(),
    }
    server.behaviour = lambda request: endings[request.prompt]
    settings = read_settings().model_copy(update={"attempts": 1})
    calls = [question(name) for name in endings]
    outcomes = batches_of(records, server.url, settings=settings).ask_all(calls)
    assert dict(zip(endings, said(outcomes), strict=True)) == {
        "well": "well",
        "refused": Reason.REFUSED,
        "cut": Reason.TRUNCATED,
        "odd": Reason.INVALID,
        "other": Reason.INVALID,
        "bad": Reason.REJECTED,
        "failed": Reason.UNREACHABLE,
        "canceled": Reason.UNREACHABLE,
        "expired": Reason.UNREACHABLE,
    }
    odd = outcomes[3]
    assert isinstance(odd, UnansweredError)
    assert odd.text == '{"other": 1}'
    assert "said" in odd.detail
    assert records.ledger.totals().claude.outcomes == {
        Outcome.OK: 2,
        Outcome.REFUSED: 1,
        Outcome.TRUNCATED: 1,
        Outcome.WRONG_MODEL: 1,
        Outcome.REJECTED: 1,
        Outcome.SERVER_ERROR: 1,
        Outcome.CANCELLED: 1,
        Outcome.EXPIRED: 1,
    }
    unpaid = {Outcome.REJECTED, Outcome.SERVER_ERROR, Outcome.CANCELLED, Outcome.EXPIRED}
    for row in rows(records):
        assert (row.usd == 0) == (Outcome(row.status) in unpaid)
        assert not row.usd_is_bound
    paid = [name for name in endings if name not in ("bad", "failed", "canceled", "expired")]
    batches_of(records, server.url, settings=settings).ask_all([question(name) for name in paid])
    assert created(server) == 1


def test_an_equal_call_is_answered_from_the_records(server: StandIn, records: Records) -> None:
    batches = batches_of(records, server.url)
    first = batches.ask_all([question("once"), question("once")])
    again = batches.ask_all([question("once")])
    assert said(first + again) == ["once"] * 3
    assert len(server.tally.charged) == 1
    assert len(rows(records)) == 1


def test_what_was_not_reached_may_be_asked_again(server: StandIn, records: Records) -> None:
    server.behaviour = in_turn(Expires(), says(echo))
    batches = batches_of(records, server.url)
    assert said(batches.ask_all([question("late")])) == [Reason.UNREACHABLE]
    assert said(batches.ask_all([question("late")])) == ["late"]


def test_a_batch_that_does_not_end_in_time_is_held_and_collected_later(
    records: Records,
) -> None:
    clock = Clock()
    with serving(says(echo), batch_seconds=60, clock=clock) as server:
        hurried = replace(QUICK, deadline=0.05)
        batches = batches_of(records, server.url, patience=hurried)
        assert said(batches.ask_all([question("slow")])) == [Reason.HELD]
        assert said(batches.ask_all([question("slow")])) == [Reason.HELD]
        assert rows(records)[0].status == Outcome.PENDING.value
        clock.now += 60
        batches.settle()
        assert rows(records)[0].status == Outcome.OK.value
        assert said(batches.ask_all([question("slow")])) == ["slow"]
        assert (created(server), len(server.tally.charged)) == (1, 1)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    "first",
    [Lost(Accepts()), *(Fails(status, after=Accepts()) for status in (408, 409, 500, 502, 503))],
)
def test_a_batch_whose_creation_was_not_confirmed_is_found_by_its_ids(
    server: StandIn, records: Records, first: Ending
) -> None:
    server.on_batch = in_turn(first, Accepts())
    answers = batches_of(records, server.url).ask_all([question("a"), question("b")])
    assert said(answers) == ["a", "b"]
    assert (created(server), len(server.tally.charged)) == (1, 2)


@pytest.mark.parametrize("first", [Lost(), Fails(500)])
def test_a_batch_that_never_arrived_is_looked_up_and_then_sent_again(
    server: StandIn, records: Records, first: Ending
) -> None:
    server.on_batch = in_turn(first, Accepts())
    assert said(batches_of(records, server.url).ask_all([question("a")])) == ["a"]
    assert server.tally.requests["GET /v1/messages/batches"] >= 2
    assert [row.status for row in rows(records)] == ["UNREACHABLE", "OK"]
    assert [row.attempt_no for row in rows(records)] == [1, 2]
    assert [row.usd > 0 for row in rows(records)] == [False, True]


def test_a_server_that_is_busy_is_asked_again_with_the_same_attempts(
    server: StandIn, records: Records
) -> None:
    server.on_batch = in_turn(Fails(429, retry_after=0.01), Fails(529, retry_after=0.01), Accepts())
    assert said(batches_of(records, server.url).ask_all([question("a")])) == ["a"]
    assert created(server) == 3
    assert len(rows(records)) == 1


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        (401, Reason.NO_KEY, Outcome.REJECTED),
        (402, Reason.NOT_PAID, Outcome.NOT_PAID),
        (400, Reason.REJECTED, Outcome.REJECTED),
        (429, Reason.RATE_LIMITED, Outcome.RATE_LIMITED),
        (529, Reason.RATE_LIMITED, Outcome.SERVER_BUSY),
    ],
)
def test_a_batch_that_is_turned_away_costs_nothing_and_says_why(
    server: StandIn, records: Records, status: int, reason: Reason, outcome: Outcome
) -> None:
    server.on_batch = lambda _: Fails(status, retry_after=9999)
    assert said(batches_of(records, server.url).ask_all([question("a")])) == [reason]
    assert [(row.status, row.usd) for row in rows(records)] == [(outcome.value, 0)]
    assert created(server) == 1


def test_batches_of_others_are_looked_into_but_never_taken(
    server: StandIn, records: Records, tmp_path: Path
) -> None:
    other = records_in(tmp_path / "other")
    assert said(batches_of(other, server.url).ask_all([question("theirs")])) == ["theirs"]
    server.on_batch = in_turn(Lost(Accepts()), Accepts())
    assert said(batches_of(records, server.url).ask_all([question("ours")])) == ["ours"]
    assert len(server.batches.kept) == 2
    assert [row.batch_id for row in rows(records)] == [server.batches.kept[1].batch_id]


def test_nothing_is_sent_while_a_batch_that_may_hold_a_lost_call_goes_on(
    records: Records,
) -> None:
    clock = Clock()
    with serving(says(echo), batch_seconds=60, clock=clock) as server:
        server.on_batch = in_turn(Lost(Accepts()), Accepts())
        hurried = replace(QUICK, deadline=0.2)
        batches = batches_of(records, server.url, patience=hurried)
        assert said(batches.ask_all([question("a")])) == [Reason.HELD]
        assert said(batches.ask_all([question("a")])) == [Reason.HELD]
        assert created(server) == 1
        clock.now += 60
        assert said(batches.ask_all([question("a")])) == ["a"]
        assert (created(server), len(server.tally.charged)) == (1, 1)


def test_results_that_are_gone_are_booked_at_their_worst_case_and_held(
    server: StandIn, records: Records
) -> None:
    clock = Clock()
    with serving(says(echo), batch_seconds=60, clock=clock) as slow:
        hurried = replace(QUICK, deadline=0.05)
        batches = batches_of(records, slow.url, patience=hurried)
        batches.ask_all([question("a")])
        slow.batches.kept.clear()
        assert said(batches.ask_all([question("a")])) == [Reason.HELD]
        assert said(batches.ask_all([question("a")])) == [Reason.HELD]
    (row,) = rows(records)
    assert (row.status, row.usd, row.usd_is_bound) == ("UNKNOWN", row.usd_at_most, True)

    resend = read_settings().model_copy(update={"unknown": OnUnknown.RESEND})
    assert said(batches_of(records, server.url, settings=resend).ask_all([question("a")])) == ["a"]


def test_a_direct_call_of_unknown_outcome_holds_an_equal_one_in_a_batch(
    server: StandIn, records: Records
) -> None:
    batches = batches_of(records, server.url)
    batches.ask_all([question("a")])
    (row,) = rows(records)
    lost = Received(outcome=Outcome.UNKNOWN, t_done=time.time(), usd=1.0, usd_is_bound=True)
    records.journal.finish(row.attempt_id, lost)
    assert said(batches.ask_all([question("a"), question("b")])) == [Reason.HELD, "b"]
    assert len(server.tally.charged) == 2


def test_a_call_over_budget_is_not_sent_and_the_others_are(
    server: StandIn, records: Records
) -> None:
    cheap = read_settings()
    limit = cheap.budgets.run.model_copy(update={"usd": 0.03})
    strict = cheap.model_copy(update={"budgets": cheap.budgets.model_copy(update={"day": limit})})
    batches = batches_of(records, server.url, settings=strict)
    assert said(batches.ask_all([question("dear", max_tokens=4000), question("cheap")])) == [
        Reason.OVER_BUDGET,
        "cheap",
    ]
    assert [row.usd > 0 for row in rows(records)] == [True]


def test_equal_questions_asked_at_once_are_sent_once(server: StandIn, records: Records) -> None:
    # none is lost here: an attempt that another thread is about to submit must not pass for it
    patient = replace(QUICK, deadline=60.0, grace=60.0)

    def ask(_: int) -> Outcomes:
        batches = batches_of(records, server.url, patience=patient)
        return batches.ask_all([question("a"), question("b")])

    with ThreadPoolExecutor(4) as pool:
        for outcomes in pool.map(ask, range(4)):
            assert said(outcomes) == ["a", "b"]
    assert len(server.tally.charged) == len(rows(records)) == 2


def test_results_that_break_off_are_read_again(server: StandIn, records: Records) -> None:
    server.cut_results = 2
    names = ["a", "b", "c"]
    answers = batches_of(records, server.url).ask_all([question(name) for name in names])
    assert said(answers) == names
    assert server.cut_results == 0
    assert len(server.tally.charged) == 3


def test_a_server_that_cannot_be_reached_loses_no_attempt(
    server: StandIn, records: Records
) -> None:
    hurried = replace(QUICK, deadline=0.05)
    nowhere = batches_of(records, "http://127.0.0.1:9", patience=hurried)
    assert said(nowhere.ask_all([question("a")])) == [Reason.HELD]
    assert said(batches_of(records, server.url).ask_all([question("a")])) == ["a"]
    assert [row.status for row in rows(records)] == ["UNREACHABLE", "OK"]
    assert created(server) == 1
