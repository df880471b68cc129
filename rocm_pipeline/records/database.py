"""The connection to the records: SQLite (WAL) by default, PostgreSQL by URL."""

import sqlite3
import time
from collections.abc import Callable, Generator, MutableMapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.pool import PoolProxiedConnection

from rocm_pipeline.errors import UserError
from rocm_pipeline.records import fleet_tables
from rocm_pipeline.records.driver import DriverCursor
from rocm_pipeline.records.migrations import migrate
from rocm_pipeline.records.schema import SCHEMA_VERSION, Base, SchemaVersion

Row = TypeVar("Row", bound=Base)

BUSY_SECONDS = 30
"""How long a writer waits for another process before it gives up."""
_SCHEMA_LOCK = 0x726F636D
"""PostgreSQL advisory lock held while the tables are made."""
_WRITER_LOCK = _SCHEMA_LOCK + 1
_PASSING_LOCK = _SCHEMA_LOCK + 2


class Database:
    """Sessions on one database; the tables are made when they are missing.

    `url` is a SQLAlchemy URL or the path of a SQLite file. Several processes may open a fresh one
    at the same moment. Raises UserError when it cannot be opened, read or written.
    """

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        self.name = parsed.database if parsed.drivername.startswith("sqlite") else str(parsed)
        self._is_sqlite = parsed.drivername.startswith("sqlite")
        self._driver_error: type[Exception] = sqlite3.Error
        with self._explained():
            self._engine = self._connect(parsed)
            self._driver_error = self._engine.dialect.loaded_dbapi.Error
            # A transaction that will write takes the write lock at once: SQLite cannot wait for
            # it later without risking that what was read has changed.
            self._writer = self._engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
            self._create_schema()

    @contextmanager
    def reading(self) -> Generator[Session, None, None]:
        with self._explained(), Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Generator[Session, None, None]:
        """One transaction: committed to the disk when the block ends, or undone on an error."""
        with (
            self._explained(),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def writing_alone(self) -> Generator[Session, None, None]:
        """Like `writing`; what is read in it stays true until its end, whoever else writes so."""
        with self.writing() as session:
            # SQLite has one writer anyhow
            if session.connection().dialect.name == "postgresql":
                session.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _WRITER_LOCK})
            yield session

    @contextmanager
    def looking(self) -> Generator[DriverCursor, None, None]:
        """For a single look at a few values: a session costs many times as much."""
        with self._explained(), self._driver() as (_, cursor):
            yield cursor

    @contextmanager
    def writing_what_passes(self) -> Generator[DriverCursor, None, None]:
        """Like `writing_alone`, for what a power cut may undo: it does not wait for the disk.

        Processes see it at once. For what is worth nothing once the processes have ended. In the
        driver's own words, because this happens for every request.
        """
        with self._explained(), self._driver() as (connection, cursor):
            if self._is_sqlite:
                _begin(connection.info, cursor.cursor.execute, "BEGIN IMMEDIATE", "NORMAL")
            else:
                cursor.run(f"SELECT pg_advisory_xact_lock({_PASSING_LOCK})")
            try:
                yield cursor
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def _driver(self) -> Generator[tuple[PoolProxiedConnection, DriverCursor], None, None]:
        connection = self._engine.raw_connection()
        try:
            with closing(connection.cursor()) as cursor:
                yield connection, DriverCursor(self._engine.dialect, cursor)
        finally:
            connection.close()

    def add_once(self, *rows: Base) -> None:
        """Add, in one transaction, the rows whose primary keys are new; others stay as they are."""
        try:
            self._add_missing(rows)
        except IntegrityError:
            # Another process added one of them in between; now it is there to be seen.
            self._add_missing(rows)

    def _add_missing(self, rows: tuple[Base, ...]) -> None:
        with self.writing() as session:
            for row in rows:
                key = inspect(type(row)).primary_key_from_instance(row)
                if session.get(type(row), tuple(key)) is None:
                    session.add(row)
                    session.flush()

    def get(self, kind: type[Row], key: object) -> Row | None:
        with self.reading() as session:
            return session.get(kind, key)

    def close(self) -> None:
        self._engine.dispose()

    def _connect(self, url: URL) -> Engine:
        try:
            if not self._is_sqlite:
                return create_engine(url, pool_pre_ping=True)
            if url.database:
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            # The one used last knows the pages that the others would have to read anew.
            waits = {"timeout": BUSY_SECONDS}
            engine = create_engine(url, connect_args=waits, pool_use_lifo=True)
        except (ImportError, ArgumentError, OSError) as error:
            raise UserError(
                f"the records cannot be opened ({error})",
                where=str(self.name),
                fix="Name a folder that can be written, or a database whose driver is installed.",
            ) from error
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _create_schema(self) -> None:
        if self._is_sqlite:
            self._switch_to_wal()
        with self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _SCHEMA_LOCK})
            if inspect(connection).has_table(SchemaVersion.__tablename__):
                migrate(connection)
            # All tables have one metadata; theirs is named so that their module is imported.
            fleet_tables.TicketRow.metadata.create_all(connection)
            version = connection.scalar(select(SchemaVersion.version))
            if version is None:
                connection.execute(insert(SchemaVersion).values(version=SCHEMA_VERSION))
            elif version != SCHEMA_VERSION:
                raise UserError(
                    f"these records have schema version {version}, this program reads "
                    f"{SCHEMA_VERSION}",
                    where=str(self.name),
                    fix="Use another home, or the program that wrote them.",
                )

    def _switch_to_wal(self) -> None:
        # SQLite does not wait for other processes here, busy timeout or not.
        give_up = time.monotonic() + BUSY_SECONDS
        while True:
            raw = self._engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > give_up:
                    raise
                time.sleep(0.02)
            finally:
                raw.close()

    @contextmanager
    def _explained(self) -> Generator[None, None, None]:
        try:
            yield
        except IntegrityError:
            raise
        except (DatabaseError, self._driver_error) as error:
            cause = error.orig if isinstance(error, DatabaseError) else error
            raise UserError(
                f"the records cannot be used ({' '.join(str(cause).split())})",
                where=str(self.name),
                fix=_remedy(str(cause)) if self._is_sqlite else "Check the server and this URL.",
            ) from error


def _parse(url: str) -> URL:
    try:
        return make_url(url if "://" in url else f"sqlite:///{url}")
    except ArgumentError as error:
        raise UserError(
            "this is no database URL",
            where=url,
            fix="Write a file path, or for example postgresql+psycopg://user@host/records.",
        ) from error


def _configure_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions of its own; `_begin_sqlite` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    begin = connection.get_execution_options().get("sqlite_begin", "BEGIN")
    _begin(connection.info, connection.exec_driver_sql, begin, "FULL")


def _begin(
    info: MutableMapping[Any, Any], run: Callable[[str], object], begin: str, synchronous: str
) -> None:
    # FULL: a commit is on the disk, power cut included, before a model is called.
    if info.get("synchronous") != synchronous:
        run(f"PRAGMA synchronous={synchronous}")
        info["synchronous"] = synchronous
    run(begin)


def _remedy(message: str) -> str:
    if "locked" in message:
        return f"Another process has held them for {BUSY_SECONDS} s; end it and try again."
    if "full" in message:
        return "Free some disk space and try again."
    if "not a database" in message or "malformed" in message:
        return "Move the damaged file away, or restore it from a copy."
    return "Make its folder exist and writable for this user, or name another home."
