"""Dagster's storage with engines that stay holds what Dagster's own would hold."""

import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from rocm_pipeline.home import Home
from rocm_pipeline.resources.instance import TARGET_PARTITIONS, prepare_instance
from rocm_pipeline.resources.storage import KeptEngines


@dg.asset
def anything() -> int:
    return 1


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    for name in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY", "ROCM_PIPELINE_HOME"):
        monkeypatch.setenv(name, "")
    with prepare_instance(Home(tmp_path)) as made:
        yield made


def log_of(instance: dg.DagsterInstance) -> KeptEngines:
    found = instance.event_log_storage
    assert isinstance(found, KeptEngines)
    return found


def test_dagster_s_own_storage_reads_the_same_events(instance: dg.DagsterInstance) -> None:
    result = dg.materialize([anything], instance=instance)
    log = log_of(instance)
    folder = Path(log.path_for_shard("index")).parent
    plain = SqliteEventLogStorage(str(folder))
    assert len(log.get_logs_for_run(result.run_id)) > 5
    assert plain.get_logs_for_run(result.run_id) == log.get_logs_for_run(result.run_id)
    assert plain.all_asset_keys() == [dg.AssetKey("anything")]


def test_its_files_lie_where_dagster_s_own_lie(instance: dg.DagsterInstance) -> None:
    """A home that was made with Dagster's storage goes on with its events."""
    base = Path(log_of(instance).path_for_shard("index")).parents[2]
    own = DagsterSqliteStorage.from_local(str(base))
    assert own.event_log_storage.get_dynamic_partitions(
        TARGET_PARTITIONS
    ) == instance.get_dynamic_partitions(TARGET_PARTITIONS)


def test_one_engine_serves_all_statements_of_a_file(instance: dg.DagsterInstance) -> None:
    log = log_of(instance)
    seen: set[Engine] = set()
    for _ in range(3):
        with log.index_connection() as connection:
            seen.add(connection.engine)
    assert len(seen) == 1


def test_what_raises_leaves_nothing_behind_and_the_log_free(instance: dg.DagsterInstance) -> None:
    log = log_of(instance)

    def empty_and_fail() -> None:
        with log.index_connection() as connection:
            connection.execute(text("DELETE FROM dynamic_partitions"))
            connection.execute(text("DELETE FROM no_such_table"))

    with pytest.raises(OperationalError):
        empty_and_fail()
    assert instance.get_dynamic_partitions(TARGET_PARTITIONS)


def test_a_table_is_found_once_it_is_there(instance: dg.DagsterInstance) -> None:
    log = log_of(instance)
    assert not log.has_table("later")
    with log.index_connection() as connection:
        connection.execute(text("CREATE TABLE later (x INTEGER)"))
    assert log.has_table("later")


def test_threads_write_side_by_side(instance: dg.DagsterInstance) -> None:
    def add(number: int) -> None:
        for n in range(5):
            instance.add_dynamic_partitions("numbers", [f"{number}-{n}"])

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(instance.get_dynamic_partitions("numbers")) == 40


def test_the_file_of_all_runs_stays_open_until_the_end(instance: dg.DagsterInstance) -> None:
    """SQLite deletes the log of a file when its last connection closes."""
    result = dg.materialize([anything], instance=instance)
    log = log_of(instance)
    assert Path(f"{log.path_for_shard('index')}-wal").exists()
    assert not Path(f"{log.path_for_shard(result.run_id)}-wal").exists(), "so that the UI sees it"
    log.dispose()
    assert not Path(f"{log.path_for_shard('index')}-wal").exists()
    assert instance.get_dynamic_partitions(TARGET_PARTITIONS), "it opens again"
