"""Paid calls of processes that are killed at every named point and at random ones."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import pytest

from rocm_pipeline.planning.claude.call import Reason
from rocm_pipeline.planning.claude.prices import Tokens
from rocm_pipeline.planning.claude.settings import read_settings
from rocm_pipeline.records import ledger
from rocm_pipeline.records.ledger import Usage
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow
from tests.conftest import RecordFigure
from tests.planning.claude.batch_calls import echo, records_in
from tests.planning.claude.mortal import BATCH_DEATHS, DIRECT_DEATHS, Order
from tests.planning.claude.mortals import Mortals
from tests.scale import scaled
from tests.standins.claude import (
    Accepts,
    Behaviour,
    Charge,
    Charged,
    Ending,
    Fails,
    Lost,
    Request,
    Says,
    StandIn,
    Then,
    serving,
)
from tests.standins.claude.tally import add_up

CALLS = scaled(short=24, long=200)
A_BATCH = 2
"""Calls in one batch."""
STARTS = 12
"""More restarts than this mean that a process does not get on."""
LONGEST_LIFE = 0.25
"""Seconds; killed at random after up to so long, processes die in all of their phases."""

CHARGED = "after the charge, before the answer"
HIDDEN = "after an error that hides a charge"
MIDWAY = "in the middle of the answer"
ACCEPTED = "after the batch was accepted, before the answer"
AT_RANDOM = "at random"


Arm = Callable[[str], str | None]
"""Makes the server kill at a point of its own; returns a point that is the process's own."""


def run_until_through(
    mortals: Mortals, order: Order, deaths: list[str], arm: Arm, chance: random.Random
) -> dict[str, str]:
    """Start an order again until it gets through, killing it at each of `deaths`, one a start."""
    for start in range(STARTS):
        death = deaths[start] if start < len(deaths) else None
        own = None if death in (None, AT_RANDOM) else arm(str(death))
        lives = chance.uniform(0, LONGEST_LIFE) if death == AT_RANDOM else None
        if mortals.run(order.model_copy(update={"dies": own}), lives=lives):
            result: dict[str, str] = json.loads(order.result.read_text())
            return result
        assert death is not None
        mortals.kills[death] += 1
    raise AssertionError(f"{order.prompts} did not get through in {STARTS} starts")


def deaths_of(number: int, points: list[str]) -> list[str]:
    """Return where the processes of an order die: every point in its turn, then twice at random."""
    turn = number % (len(points) + 1)
    return [points[turn]] if turn < len(points) else [AT_RANDOM] * 2


def tokens_of(usage: Usage) -> Charge:
    """Return tokens of the ledger as the server counts them; nobody thinks here."""
    return Charge(
        fresh=usage.tokens_in,
        write_5m=usage.tokens_cache_write - usage.tokens_cache_write_1h,
        write_1h=usage.tokens_cache_write_1h,
        read=usage.tokens_cache_read,
        out=usage.tokens_out,
    )


def tokens_off(ours: Charge, theirs: Charge) -> int:
    """Return by how many tokens two accounts differ, over all kinds."""
    pairs = zip(astuple(ours), astuple(theirs), strict=True)
    return sum(abs(one - other) for one, other in pairs)


def claude_rows(records: Records) -> list[AttemptRow]:
    return [row for row in records.ledger.attempts() if row.provider == "anthropic"]


def test_killed_direct_calls_are_never_paid_twice_and_each_unknown_one_is_reported(
    tmp_path: Path, mortals: Mortals, record_figure: RecordFigure
) -> None:
    points = [*DIRECT_DEATHS, CHARGED, HIDDEN, MIDWAY]
    chance = random.Random(5)
    came: dict[str, str] = {}
    with serving(lambda request: Says(echo(request))) as server:

        def arm(point: str) -> str | None:
            if point == CHARGED:
                server.behaviour = once(server, lambda r: Then(Says(echo(r)), mortals.kill))
            elif point == HIDDEN:
                server.behaviour = once(server, lambda r: Fails(502, after=Says(echo(r))))
                return "between inbox and database"
            elif point == MIDWAY:
                server.behaviour = once(
                    server, lambda r: Lost(Says(echo(r)), events=4, action=mortals.kill)
                )
            else:
                return point
            return None

        for number in range(CALLS):
            order = Order(
                url=server.url, folder=tmp_path, prompts=[f"call {number}"], in_batch=False
            )
            came |= run_until_through(mortals, order, deaths_of(number, points), arm, chance)

    records = records_in(tmp_path)
    rows = claude_rows(records)
    held = {prompt for prompt, words in came.items() if words == Reason.HELD.value}
    assert all(words == prompt for prompt, words in came.items() if prompt not in held)
    assert len(came) == CALLS
    assert server.tally.duplicates == 0
    assert set(points) <= set(mortals.kills)

    unknown = [row for row in rows if row.status == Outcome.UNKNOWN.value]
    assert sorted(prompt_of(records, row) for row in unknown) == sorted(held)
    assert {row.status for row in rows} == {Outcome.OK.value, Outcome.UNKNOWN.value}
    known = [row for row in rows if row.status == Outcome.OK.value]
    ids = {row.request_id for row in known}
    answered = [charged for charged in server.tally.charged if charged.request_id in ids]
    lost = [charged for charged in server.tally.charged if charged.request_id not in ids]
    assert len(answered) == len(known)

    total = records.ledger.totals().claude  # of unknown calls no token is known
    off = tokens_off(tokens_of(total), add_up(charged.charge for charged in answered))
    off += sum(
        tokens_off(tokens_of(ledger.add_up([row]).claude), server.tally.of(str(row.request_id)))
        for row in known
    )
    assert off == 0
    paid = sum(map(price, answered))
    assert total.usd - total.usd_of_bounds == pytest.approx(paid, abs=1e-12)

    assert_each_bound_holds(server, records, unknown, lost)
    assert total.outcomes == {Outcome.OK: len(known), Outcome.UNKNOWN: len(held)}
    assert total.usd_of_bounds == pytest.approx(sum(row.usd_at_most for row in unknown))
    margin = total.usd_of_bounds - sum(map(price, lost))
    assert margin >= 0

    record_figure("claude calls (direct)", CALLS)
    record_figure("claude kills (direct)", mortals.kills.total())
    record_figure("claude duplicates (direct)", server.tally.duplicates)
    record_figure("claude unknown reported (direct)", len(held))
    record_figure("claude unknown charged (direct)", len(lost))
    record_figure("claude bound of unknown over charge (direct)", margin)
    record_figure("claude tokens off (direct)", off)


def once(server: StandIn, behaviour: Behaviour) -> Behaviour:
    """Behave so for the next question, and then as before."""
    usual = server.behaviour

    def behave(request: Request) -> Ending:
        server.behaviour = usual
        return behaviour(request)

    return behave


def assert_each_bound_holds(
    server: StandIn, records: Records, unknown: list[AttemptRow], lost: list[Charged]
) -> None:
    """Assert that what was charged for calls of unknown outcome is within what is booked."""
    prompts = {request.request_id: request.prompt for request in server.requests}
    bounds = {prompt_of(records, row): row for row in unknown}
    for row in unknown:
        assert row.usd_is_bound
        assert row.usd == row.usd_at_most > 0
    for charged in lost:
        row = bounds[prompts[charged.request_id]]
        assert price(charged) <= row.usd
        assert charged.charge.prompt + charged.charge.out <= row.tokens_at_most


def price(charged: Charged) -> float:
    """Return what a charge costs by the list."""
    charge = charged.charge
    tokens = Tokens(
        fresh=charge.fresh,
        cache_write_5m=charge.write_5m,
        cache_write_1h=charge.write_1h,
        cache_read=charge.read,
        out=charge.out,
    )
    return float(read_settings().price_table().price(tokens, charged.model, time.time()))


def prompt_of(records: Records, row: AttemptRow) -> str:
    return str(json.loads(records.store.get_text(row.prompt_sha256))["prompt"])


def test_killed_batches_are_found_again_and_every_call_is_paid_once(
    tmp_path: Path, mortals: Mortals, record_figure: RecordFigure
) -> None:
    points = [*BATCH_DEATHS, ACCEPTED]
    chance = random.Random(6)
    came: dict[str, str] = {}
    with serving(lambda request: Says(echo(request)), batch_seconds=0.02) as server:

        def arm(point: str) -> str | None:
            if point != ACCEPTED:
                return point

            def accept(_: Request) -> Then:
                server.on_batch = lambda _: Accepts()
                return Then(Accepts(), mortals.kill)

            server.on_batch = accept
            return None

        for number in range(CALLS // A_BATCH):
            prompts = [f"call {number}.{entry}" for entry in range(A_BATCH)]
            order = Order(url=server.url, folder=tmp_path, prompts=prompts, in_batch=True)
            came |= run_until_through(mortals, order, deaths_of(number, points), arm, chance)

    records = records_in(tmp_path)
    rows = claude_rows(records)
    assert len(came) == CALLS
    assert all(words == prompt for prompt, words in came.items())
    assert server.tally.duplicates == 0
    assert len(server.tally.charged) == CALLS
    off = tokens_off(tokens_of(records.ledger.totals().claude), server.tally.total())
    off += sum(
        tokens_off(tokens_of(ledger.add_up([row]).claude), server.tally.of(row.attempt_id))
        for row in rows
    )
    assert off == 0
    assert {row.status for row in rows} <= {Outcome.OK.value, Outcome.UNREACHABLE.value}
    assert set(points) <= set(mortals.kills)

    record_figure("claude calls (batch)", CALLS)
    record_figure("claude kills (batch)", mortals.kills.total())
    record_figure("claude duplicates (batch)", server.tally.duplicates)
    record_figure("claude tokens off (batch)", off)
