"""What is booked, and sent again or not, where nobody knows whether a call was charged."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path

import pytest

from rocm_pipeline.planning.claude.call import Reason
from rocm_pipeline.planning.claude.settings import OnUnknown, read_settings
from tests.planning.claude.desk import (
    GOOD,
    assert_tally_is_the_ledger,
    call,
    desk,
)
from tests.standins.claude import (
    KEY,
    Fails,
    Lost,
    Says,
    Then,
    in_turn,
)

RESENDING = read_settings().model_copy(update={"unknown": OnUnknown.RESEND})


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
            "UNKNOWN",
            True,
            200,
        )
        assert at.row.error == "529 overloaded_error: overloaded"
        assert at.waited == []


UNSURE = (408, 409, 499, 500, 502, 503, 504)
"""Statuses that leave open whether the call was made, and paid."""


@pytest.mark.parametrize("status", UNSURE)
@pytest.mark.parametrize("after", [None, Says(GOOD)])
def test_a_call_is_held_at_its_worst_case_after_a_status_that_may_hide_its_answer(
    tmp_path: Path, status: int, after: Says | None
) -> None:
    with desk(tmp_path, in_turn(Fails(status, after=after), Says(GOOD))) as at:
        assert at.refused().reason is Reason.HELD
        assert (at.row.status, at.row.http_status) == ("UNKNOWN", status)
        assert at.row.error.startswith(f"{status} ")
        assert at.row.usd == at.row.usd_at_most > 0
        assert at.row.usd_is_bound
        assert at.refused().reason is Reason.HELD
        assert (at.asked, len(at.rows), at.waited) == (1, 1, [])
        assert at.server.tally.duplicates == 0


@pytest.mark.parametrize("status", UNSURE)
def test_by_configuration_it_is_sent_again_after_such_a_status_and_both_are_booked(
    tmp_path: Path, status: int
) -> None:
    behaviour = in_turn(Fails(status, after=Says(GOOD), retry_after=2.5), Says(GOOD))
    with desk(tmp_path, behaviour, RESENDING) as at:
        assert at.claude.ask(call()).text == GOOD
        assert [row.status for row in at.rows] == ["UNKNOWN", "OK"]
        assert [row.usd_is_bound for row in at.rows] == [True, False]
        assert at.rows[0].usd == at.rows[0].usd_at_most > at.rows[1].usd > 0
        assert at.waited == [2.5]
        assert at.server.tally.duplicates == 1


def test_a_server_that_stays_broken_is_given_up_and_every_attempt_is_booked(
    tmp_path: Path,
) -> None:
    with desk(tmp_path, Fails(500), RESENDING) as at:
        assert at.refused().reason is Reason.HELD
        assert [row.usd_is_bound for row in at.rows] == [True] * 3
        assert at.waited == [0.5, 1.0]


def test_by_configuration_a_lost_call_is_sent_again_and_both_are_booked(tmp_path: Path) -> None:
    behaviour = in_turn(Lost(Says(GOOD), events=1), Says(GOOD))
    with desk(tmp_path, behaviour, RESENDING) as at:
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
from tests.planning.claude.desk import call
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
