import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.records.database import Database
from rocm_pipeline.records.schema import PlanRow

ROWS_EACH = 25
WRITER = f"""
import sys, time
from rocm_pipeline.records.database import Database
from rocm_pipeline.records.schema import PlanRow
url, name, start = sys.argv[1], sys.argv[2], float(sys.argv[3])
time.sleep(max(0.0, start - time.time()))
database = Database(url)
def plan(plan_id):
    return PlanRow(plan_id=plan_id, target="t", commit="c", planner="p", json_sha256="0")
for index in range({ROWS_EACH}):
    database.add_once(plan(f"{{name}}-{{index}}"), plan(f"shared-{{index}}"))
"""


def plan(plan_id: str = "plan-1", commit: str = "c") -> PlanRow:
    return PlanRow(plan_id=plan_id, target="t", commit=commit, planner="p", json_sha256="0")


def test_four_processes_may_open_and_write_a_fresh_database_at_once(tmp_path: Path) -> None:
    url = str(tmp_path / "records.db")
    start = str(time.time() + 1.5)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, url, f"w{n}", start],
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    errors = [writer.communicate(timeout=60)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4, errors
    with Database(url).reading() as session:
        assert session.query(PlanRow).count() == 5 * ROWS_EACH


def test_opening_waits_for_another_process_that_is_making_the_database(tmp_path: Path) -> None:
    path = str(tmp_path / "records.db")
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE being_made (x)")
    # In this state SQLite refuses the switch to WAL at once, whatever the busy timeout.
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.rollback)
    release.start()
    started = time.monotonic()
    Database(path).add_once(plan())
    assert time.monotonic() - started >= 0.25
    release.join()
    other.close()


def test_a_commit_is_on_the_disk_and_readers_do_not_wait(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "records.db"))
    with database.reading() as session:
        connection = session.connection()
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    with database.writing() as writer:
        writer.add(plan())
        assert database.get(PlanRow, "plan-1") is None
    assert database.get(PlanRow, "plan-1") is not None


def test_the_first_row_with_an_id_stays(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "records.db"))
    database.add_once(plan(commit="first"))
    database.add_once(plan(commit="second"), plan("plan-2"))
    row = database.get(PlanRow, "plan-1")
    assert row is not None
    assert row.commit == "first"
    assert database.get(PlanRow, "plan-2") is not None


def test_an_error_undoes_the_whole_transaction(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "records.db"))

    def write_and_fail() -> None:
        with database.writing() as session:
            session.add(plan())
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert database.get(PlanRow, "plan-1") is None


def test_a_file_that_is_no_database_is_a_user_error(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    path.write_bytes(b"this is no database, " * 100)
    with pytest.raises(UserError, match="Move the damaged file away") as caught:
        Database(str(path))
    assert str(path) in str(caught.value)


def test_records_of_another_version_are_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "records.db")
    Database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(UserError, match="schema version 99"):
        Database(path)


def test_a_folder_that_cannot_be_made_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"file/records\.db"):
        Database(str(tmp_path / "file/records.db"))


def test_a_url_that_is_none_is_a_user_error() -> None:
    with pytest.raises(UserError, match="no database URL"):
        Database("://")


def test_a_disk_without_space_is_a_user_error_and_loses_nothing(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "records.db"))
    database.add_once(plan("plan-before"))
    with database.reading() as session:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar()

    def write_much() -> None:
        with database.writing() as session:
            # SQLite reports a reached page limit as it reports a full disk: SQLITE_FULL.
            session.connection().exec_driver_sql(f"PRAGMA max_page_count={pages}")
            session.add_all([plan(f"plan-{index}") for index in range(2000)])

    with pytest.raises(UserError, match="Free some disk space"):
        write_much()
    assert database.get(PlanRow, "plan-before") is not None
    assert database.get(PlanRow, "plan-0") is None


def test_a_database_without_its_driver_is_a_user_error() -> None:
    with pytest.raises(UserError, match="driver is installed"):
        Database("postgresql+pg8000://nobody:secret@127.0.0.1/records")


def test_a_second_writer_that_waits_in_vain_is_told_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rocm_pipeline.records.database.BUSY_SECONDS", 0.1)
    path = str(tmp_path / "records.db")
    first, second = Database(path), Database(path)
    with first.writing() as session:
        session.add(plan())
        session.flush()
        with pytest.raises(UserError, match="Another process has held them"):
            second.add_once(plan("plan-2"))


def test_what_passes_is_undone_whole_on_an_error_and_explained(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "records.db"))
    count = "SELECT count(*) FROM fleet_changes"

    def fail() -> None:
        with database.writing_what_passes() as cursor:
            cursor.run("INSERT INTO fleet_changes (one, count) VALUES (1, 7)")
            assert cursor.value(count) == 1
            cursor.run("DELETE FROM missing")

    with pytest.raises(UserError, match="no such table: missing"):
        fail()
    with database.looking() as cursor:
        assert cursor.value(count) == 0
        assert cursor.value("SELECT count FROM fleet_changes") is None
    with database.writing_what_passes() as cursor:
        cursor.run("INSERT INTO fleet_changes (one, count) VALUES (?, ?)", [(1, 8)])
    with database.writing() as session:
        session.add(plan())
    with Database(str(tmp_path / "records.db")).looking() as cursor:
        assert cursor.value("SELECT count FROM fleet_changes") == 8
