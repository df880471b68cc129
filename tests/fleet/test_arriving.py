"""What comes and what ends at once goes on the board together; nothing is lost on the way."""

import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.dispatch import Dispatcher, Lease, Pace, Seen
from rocm_pipeline.records.database import Database
from rocm_pipeline.records.leases import Board, Leases
from rocm_pipeline.records.outcome import Outcome
from tests.fleet.policies import AnyFree
from tests.fleet.test_shared_slots import MODEL, finished, wish

SLOTS = 2


class CountedLeases(Leases):
    """Counts its transactions, and fails in the next one when told to."""

    transactions = 0
    fails_next = False

    @contextmanager
    def deciding(self) -> Generator[Board, None, None]:
        self.transactions += 1
        with super().deciding() as board:
            yield board
            if self.fails_next:
                self.fails_next = False
                raise UserError("the database is locked", where="records", fix="Try again.")


@pytest.fixture
def leases(tmp_path: Path) -> CountedLeases:
    return CountedLeases(Database(f"{tmp_path}/records.db"))


def dispatcher(
    leases: Leases, look: float, decide: float = 0.5, rest: float = 0.01, slots: int = SLOTS
) -> Dispatcher:
    pace = Pace(look=look, decide=decide, gather=0.0, rest=rest)
    given = Dispatcher(leases, AnyFree(), lambda _host, _model: "", BackOff(), pace)
    given.announce([Seen("http://a", "a", slots, (MODEL,))])
    return given


def take(given: Dispatcher) -> Lease:
    return given.acquire(wish(), since=time.time(), give_up_seconds=60)


def test_many_at_once_take_few_transactions(leases: CountedLeases) -> None:
    given, many = dispatcher(leases, look=1.0), 40
    held = [take(given), take(given)]
    before = leases.transactions

    def take_and_give_back(_: int) -> None:
        lease = take(given)
        given.release(lease, finished(lease))

    with ThreadPoolExecutor(many) as pool:
        asked = [pool.submit(take_and_give_back, number) for number in range(many)]
        time.sleep(0.5)
        assert leases.transactions - before < many / 4
        for lease in held:
            given.release(lease, finished(lease))
        for each in asked:
            each.result(timeout=60)


def test_a_transaction_without_a_decision_delays_no_request(leases: CountedLeases) -> None:
    given = dispatcher(leases, look=0.5, decide=30.0)
    held = take(given)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(take, given)
        time.sleep(0.1)
        given.announce([Seen("http://a", "a", SLOTS, (MODEL,), max_loaded=1)])
        before = time.monotonic()
        assert asked.result(timeout=60).host == held.host
        assert time.monotonic() - before < 20


def test_a_transaction_that_fails_loses_no_request(leases: CountedLeases) -> None:
    given = dispatcher(leases, look=2.0)
    held = [take(given), take(given)]
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(take, given)
        time.sleep(0.2)
        leases.fails_next = True
        with pytest.raises(UserError, match="locked"):
            given.release(held[0], finished(held[0]))
        given.release(held[0], finished(held[0]))
        assert asked.result(timeout=60).host == "http://a"


def test_many_that_end_at_once_take_few_transactions(leases: CountedLeases) -> None:
    many = 40
    given = dispatcher(leases, look=0.01, rest=1.0, slots=many)
    held = [take(given) for _ in range(many)]
    before = leases.transactions
    with ThreadPoolExecutor(many) as pool:
        list(pool.map(given.release, held, map(finished, held)))
    assert leases.transactions - before < many / 4
    with leases.looking() as board:
        assert not board.tickets


def test_what_failed_to_be_given_back_is_given_back_by_the_next_decision(
    leases: CountedLeases,
) -> None:
    given = dispatcher(leases, look=0.01)
    held = [take(given), take(given)]
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(take, given)
        time.sleep(0.2)
        leases.fails_next = True
        with pytest.raises(UserError, match="locked"):
            given.release(held[0], finished(held[0]))
        assert asked.result(timeout=60).host == "http://a"


def test_what_cannot_be_learnt_from_holds_nothing_up(leases: CountedLeases) -> None:
    given = dispatcher(leases, look=0.01, decide=30.0)
    lease = take(given)
    broken = replace(finished(lease), outcome=Outcome.OK, timing="none")
    with pytest.raises(AttributeError):
        given.release(lease, broken)
    other = take(given)
    given.release(other, finished(other))
    with leases.looking() as board:
        assert not board.tickets
