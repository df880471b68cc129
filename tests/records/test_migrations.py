import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rocm_pipeline.records.journal import Received
from rocm_pipeline.records.lineage import lineage
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records

VERSION_1 = Path(__file__).with_name("version_1.sql")
"""Records as version 1 of the schema wrote them: an answered call, a call under way, a plan."""
ANSWERED, UNDER_WAY = "a-0de751d1163d440fae5f", "a-36d434d56e294d7fa5f2"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "records.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(VERSION_1.read_text())
    connection.close()
    return path


def opened(path: Path) -> Records:
    return Records.open(str(path), str(path.parent / "store"))


def columns(path: Path) -> dict[str, tuple[str, bool]]:
    found: dict[str, tuple[str, bool]] = {}
    with sqlite3.connect(path) as connection:
        for table in ("attempts", "plans"):
            rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
            found |= {f"{table}.{name}": (kind, bool(must)) for _, name, kind, must, *_ in rows}
    connection.close()
    return found


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = {name for (name,) in found.fetchall()}
    connection.close()
    return names


def indexes(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")
        names = {name for (name,) in found.fetchall()}
    connection.close()
    return names


def test_records_of_version_1_are_read_and_written_on(old: Path) -> None:
    records = opened(old)
    answered, under_way = records.ledger.attempts()
    assert (answered.attempt_id, answered.status, answered.tokens_out) == (ANSWERED, "OK", 4)
    assert (answered.targets, answered.in_batch, answered.usd_is_bound) == (
        ("row_softmax",),
        False,
        False,
    )
    assert under_way.status == "PENDING"
    assert records.ledger.totals(target="row_softmax").agents.tokens == 7
    assert records.plan("plan-1") is not None
    records.journal.finish(UNDER_WAY, Received(outcome=Outcome.OK, text="x", t_done=time.time()))
    assert records.ledger.attempts()[1].status == "OK"


def test_records_that_were_brought_up_to_date_are_as_new_ones(old: Path, tmp_path: Path) -> None:
    opened(old).close()
    fresh = tmp_path / "fresh" / "records.db"
    opened(fresh).close()
    assert columns(old) == columns(fresh)
    assert indexes(old) == indexes(fresh)
    opened(old).close()


def test_records_of_version_2_get_what_the_fleet_shares(old: Path, tmp_path: Path) -> None:
    opened(old).close()
    with sqlite3.connect(old) as connection:  # what version 2 did not have
        connection.execute("ALTER TABLE attempts DROP COLUMN hedge_of")
        connection.execute("ALTER TABLE plans DROP COLUMN attempt_id")
        for table in tables(old):
            if table.startswith("fleet_"):
                connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE schema_version SET version = 2")
    connection.close()
    records = opened(old)
    assert [row.hedge_of for row in records.ledger.attempts()] == [None, None]
    with records.leases.looking() as board:
        assert (board.tickets, board.hosts) == ({}, {})
    fresh = tmp_path / "fresh" / "records.db"
    opened(fresh).close()
    assert columns(old) == columns(fresh)
    assert tables(old) == tables(fresh)


def test_plans_of_version_3_are_kept_without_a_call(old: Path) -> None:
    opened(old).close()
    with sqlite3.connect(old) as connection:  # what version 3 did not have
        connection.execute("ALTER TABLE plans DROP COLUMN attempt_id")
        connection.execute("UPDATE schema_version SET version = 3")
    connection.close()
    records = opened(old)
    plan, commit = lineage(records, "plan-1")
    assert (plan.facts["planner"], plan.facts["attempt"], commit.id) == ("rules", "", "c0ffee")


def test_several_processes_may_bring_the_same_records_up_to_date(old: Path) -> None:
    opener = (
        "import sys; from rocm_pipeline.records.database import Database; Database(sys.argv[1])"
    )
    processes = [subprocess.Popen([sys.executable, "-c", opener, str(old)]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert len(opened(old).ledger.attempts()) == 2
