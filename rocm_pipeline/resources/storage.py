"""Dagster's own SQLite storage, with one database engine a file."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool, QueuePool

_BUSY_SECONDS = 30
"""As Dagster waits for another writer."""


class KeptEngines(SqliteEventLogStorage):
    """The event log as Dagster keeps it, read and written through engines that stay.

    Dagster makes an engine for each statement, and so compiles each statement again: a third of
    the CPU time that it adds to a run. The files and what is in them are the same.

    The file of all runs also stays open: SQLite copies its log into it, syncs, and deletes the log
    whenever the last connection closes. The file of a run does not: that copying is what tells
    Dagster's UI, which watches the file, of new events.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
        self._tables: set[str] = set()
        self._one_at_a_time = threading.Lock()
        super().__init__(base_dir, inst_data)

    def run_connection(self, run_id: str | None = None) -> Any:
        """Return a connection to the log of one run, in a transaction."""
        return self._kept(run_id or INDEX_SHARD_NAME)

    def index_connection(self) -> Any:
        """Return a connection to what is kept of all runs, in a transaction."""
        return self._kept(INDEX_SHARD_NAME)

    def has_table(self, table_name: str) -> bool:
        """Say whether the table is there; one that was is not looked for again."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def dispose(self) -> None:
        """Close what is open; whatever is asked later opens it again."""
        super().dispose()
        with self._one_at_a_time:
            for engine in self._engines.values():
                engine.dispose()

    @contextmanager
    def _kept(self, shard: str) -> Generator[Connection]:
        with self._one_at_a_time:
            if shard not in self._engines:
                with super()._connect(shard):
                    pass  # which makes its tables
                self._engines[shard] = create_engine(
                    self.conn_string_for_shard(shard),
                    poolclass=QueuePool if shard == INDEX_SHARD_NAME else NullPool,
                    connect_args={"timeout": _BUSY_SECONDS},
                )
            with self._engines[shard].begin() as connection:
                yield connection


class Storage(DagsterSqliteStorage):
    """What dagster.yaml names: runs and schedules as Dagster's, and the event log above."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        index = self._event_log_storage.path_for_shard(INDEX_SHARD_NAME)
        self._event_log_storage = KeptEngines(str(Path(index).parent))

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "Storage":
        """Make it from its settings: `base_dir`."""
        return cls(config_value["base_dir"], inst_data)
