import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from rocm_pipeline.records.database import Database
from rocm_pipeline.records.files import Files
from rocm_pipeline.records.journal import Intent, Received
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.owner import is_gone, this_process
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow
from rocm_pipeline.records.store import Store, StoreCorruptError


def intent(**changes: object) -> Intent:
    fields: dict[str, object] = {
        "provider": "ollama",
        "model": "m:7b",
        "model_digest": "d1",
        "system": "You write kernels.",
        "prompt": "Write one.",
        "seed": 7,
        "options": {"temperature": 0.2},
        "host": "http://a:11434",
        "target": "row_softmax",
        "purpose": "code",
        "role": "kernel_dev",
    }
    return Intent(**{**fields, **changes})  # type: ignore[arg-type]


def ok(text: str) -> Received:
    return Received(outcome=Outcome.OK, text=text, t_done=time.time(), tokens_in=3, tokens_out=4)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))


def only_attempt(records: Records) -> AttemptRow:
    (row,) = records.ledger.attempts()
    return row


def test_an_intent_is_on_record_before_the_call(records: Records) -> None:
    attempt_id = records.journal.intent(intent())
    row = only_attempt(records)
    assert (row.attempt_id, row.status) == (attempt_id, "PENDING")
    assert "Write one." in records.store.get_text(row.prompt_sha256)


def test_an_equal_call_is_answered_from_the_record(records: Records) -> None:
    assert records.journal.replay(intent()) is None
    attempt_id = records.journal.intent(intent())
    assert records.journal.replay(intent()) is None
    records.journal.finish(attempt_id, ok("the answer"))
    replay = records.journal.replay(intent(host="http://b:11434", purpose="review", round=3))
    assert replay is not None
    assert (replay.text, replay.attempt.attempt_id) == ("the answer", attempt_id)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "m:32b"},
        {"model_digest": "d2"},
        {"system": "You review kernels."},
        {"prompt": "Write two."},
        {"seed": 8},
        {"seed": None},
        {"options": {"temperature": 0.3}},
        {"options": {"temperature": 0.2, "format": {"type": "object"}}},
        {"provider": "anthropic"},
    ],
)
def test_a_call_that_differs_is_made(records: Records, change: dict[str, object]) -> None:
    records.journal.finish(records.journal.intent(intent()), ok("the answer"))
    assert records.journal.replay(intent(**change)) is None


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.OK])
def test_only_a_good_answer_is_replayed(records: Records, outcome: Outcome) -> None:
    attempt_id = records.journal.intent(intent())
    records.journal.finish(attempt_id, Received(outcome=outcome, text="half", t_done=1.0))
    assert records.journal.replay(intent()) is None
    assert records.store.get_text(only_attempt(records).reply_sha256 or "") == "half"


def test_other_endings_are_replayed_where_that_is_asked_for_best_first(records: Records) -> None:
    for outcome in (Outcome.REFUSED, Outcome.INVALID):
        attempt_id = records.journal.intent(intent())
        ended = Received(outcome=outcome, text=outcome.value, t_done=time.time())
        records.journal.finish(attempt_id, ended)
    asked = (Outcome.OK, Outcome.INVALID, Outcome.REFUSED)
    replays = [records.journal.replay(intent(), of) for of in (asked, asked[::-1], asked[:1])]
    assert [replay and replay.text for replay in replays] == ["INVALID", "REFUSED", None]


def test_an_intent_that_is_not_admitted_is_not_written(records: Records) -> None:
    def refuse(_session: object) -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        records.journal.intent(intent(), refuse)
    assert records.ledger.attempts() == []


def test_of_two_that_may_not_both_be_admitted_one_is(records: Records) -> None:
    def only_one(session: Session) -> None:
        found = session.scalars(select(AttemptRow)).all()
        time.sleep(0.05)
        if found:
            raise PermissionError

    def attempt(_: int) -> bool:
        try:
            records.journal.intent(intent(), only_one)
        except PermissionError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [False, False, False, True]


def test_a_call_of_unknown_outcome_is_booked_at_its_worst_case(records: Records) -> None:
    records.journal.intent(intent(give_up_seconds=-1.0, usd_at_most=0.25))
    records.journal.recover()
    row = only_attempt(records)
    assert (row.status, row.usd, row.usd_is_bound) == ("UNKNOWN", 0.25, True)


def test_a_late_answer_says_what_a_call_of_unknown_outcome_really_cost(records: Records) -> None:
    attempt_id = records.journal.intent(intent(give_up_seconds=-1.0, usd_at_most=0.25))
    records.journal.recover()
    records.journal.finish(attempt_id, ok("late").model_copy(update={"usd": 0.01}))
    row = only_attempt(records)
    assert (row.usd, row.usd_is_bound) == (0.01, False)


def test_a_call_in_a_batch_is_left_to_be_looked_up(records: Records) -> None:
    attempt_id = records.journal.intent(intent(give_up_seconds=-1.0, in_batch=True))
    records.journal.put_in_batch([attempt_id], "batch-1")
    assert records.journal.recover().unknown == ()
    assert [row.batch_id for row in records.journal.in_batches()] == ["batch-1"]
    records.journal.finish(attempt_id, ok("answer"))
    assert records.journal.in_batches() == []


def test_a_corrupt_answer_is_not_replayed(records: Records, tmp_path: Path) -> None:
    records.journal.finish(records.journal.intent(intent()), ok("the answer"))
    digest = only_attempt(records).reply_sha256 or ""
    (tmp_path / "store" / digest[:2] / digest).write_text("another answer")
    with pytest.raises(StoreCorruptError):
        records.journal.replay(intent())


def test_a_running_call_of_a_living_process_is_left_alone(records: Records) -> None:
    records.journal.intent(intent())
    assert records.journal.recover().unknown == ()
    assert only_attempt(records).status == "PENDING"


def test_a_call_far_past_its_time_is_unknown_whoever_made_it(records: Records) -> None:
    attempt_id = records.journal.intent(intent(give_up_seconds=-1.0))
    assert records.journal.recover().unknown == (attempt_id,)
    assert [row.attempt_id for row in records.journal.unknown(intent())] == [attempt_id]


def test_a_late_answer_to_an_unknown_call_still_counts(records: Records) -> None:
    attempt_id = records.journal.intent(intent(give_up_seconds=-1.0))
    records.journal.recover()
    records.journal.finish(attempt_id, ok("late"))
    replay = records.journal.replay(intent())
    assert replay is not None
    assert replay.text == "late"
    assert records.journal.unknown(intent()) == ()


def test_a_process_is_gone_only_when_it_has_ended() -> None:
    assert not is_gone(this_process())
    assert not is_gone("another-machine/pid:[1]:1:1")
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            "from rocm_pipeline.records.owner import this_process; print(this_process())",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert is_gone(child.stdout.strip())


# What a process does that makes one call and is killed without warning. The kill happens inside
# the real journal, at the moment at which it would have made the next thing durable.
CALLER = """
import os, signal, sys, time
from rocm_pipeline.records.files import Files
from rocm_pipeline.records.database import Database
from rocm_pipeline.records.database import Database
from rocm_pipeline.records.files import Files
from rocm_pipeline.records.journal import Intent, Journal, Received
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.store import Store

folder, point = sys.argv[1], sys.argv[2]
records = Records.open(folder + "/records.db", folder + "/store")

def killing_before(owner, name):
    def killed(*arguments, **named):
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, killed)

def reach(here):
    if here == point:
        os.kill(os.getpid(), signal.SIGKILL)

if point == "before intent":
    killing_before(Database, "add_once")
attempt_id = records.journal.intent(Intent(
    provider="ollama", model="m", model_digest="d", system="s", prompt="p", seed=1,
    host="h", target="t", purpose="code", role="kernel_dev"))
reach("after intent")
if point == "answer in the inbox":
    killing_before(Store, "put_text")
if point == "answer in the store":
    killing_before(Database, "writing")
if point == "before the inbox is cleared":
    killing_before(Files, "remove")
records.journal.finish(attempt_id, Received(
    outcome=Outcome.OK, text="the answer", t_done=time.time(), tokens_out=4))
reach("after outcome")
print("survived")
"""
CALLED = intent(model="m", model_digest="d", system="s", prompt="p", seed=1, options={})


def killed_at(point: str, folder: Path) -> Records:
    """Let a process be killed and return its records as they are before anyone recovers them."""
    ended = subprocess.run(
        [sys.executable, "-c", CALLER, str(folder), point], capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (-9, ""), ended.stderr
    store = Store(str(folder / "store"))
    return Records(Database(str(folder / "records.db")), store, Files(str(folder / "store/inbox")))


def test_a_kill_before_the_intent_leaves_nothing(tmp_path: Path) -> None:
    records = killed_at("before intent", tmp_path)
    assert records.journal.recover().unknown == ()
    assert records.ledger.attempts() == []


def test_a_kill_during_the_call_makes_its_outcome_unknown(tmp_path: Path) -> None:
    records = killed_at("after intent", tmp_path)
    assert only_attempt(records).status == "PENDING"
    recovery = records.journal.recover()
    assert len(recovery.unknown) == 1
    assert recovery.completed == ()
    assert only_attempt(records).status == "UNKNOWN"
    assert records.journal.replay(CALLED) is None
    assert records.journal.recover().unknown == ()


def test_opening_the_records_recovers_what_was_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed_at("after intent", tmp_path)
    killed_at("answer in the inbox", tmp_path)
    again = Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))
    assert sorted(row.status for row in again.ledger.attempts()) == ["OK", "UNKNOWN"]
    assert "1 answers saved" in caplog.text
    assert again.journal.replay(CALLED) is not None


@pytest.mark.parametrize("point", ["answer in the inbox", "answer in the store"])
def test_a_kill_after_the_answer_came_loses_nothing(tmp_path: Path, point: str) -> None:
    records = killed_at(point, tmp_path)
    assert only_attempt(records).status == "PENDING"
    recovery = records.journal.recover()
    assert len(recovery.completed) == 1
    assert recovery.unknown == ()
    replay = records.journal.replay(CALLED)
    assert replay is not None
    assert (replay.text, replay.attempt.tokens_out) == ("the answer", 4)


@pytest.mark.parametrize("point", ["before the inbox is cleared", "after outcome"])
def test_a_kill_after_the_outcome_changes_nothing(tmp_path: Path, point: str) -> None:
    records = killed_at(point, tmp_path)
    assert records.journal.recover().unknown == ()
    replay = records.journal.replay(CALLED)
    assert replay is not None
    assert replay.text == "the answer"


def test_the_caller_that_is_not_killed_survives(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CALLER, str(tmp_path), "nowhere"], capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "survived"), ended.stderr
