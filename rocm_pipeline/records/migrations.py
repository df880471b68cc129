"""Brings the tables of an older version of the program to this one's; nothing is lost."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, inspect, select, text, update
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from rocm_pipeline.records.schema import AttemptRow, Base, PlanRow, SchemaVersion

_ADDED_IN_2 = {
    AttemptRow.shared_with: "'[]'",
    AttemptRow.in_batch: "false",
    AttemptRow.usd_at_most: "0",
    AttemptRow.tokens_at_most: "0",
    AttemptRow.price_version: "''",
    AttemptRow.tokens_cache_write_1h: "0",
    AttemptRow.tokens_thinking: "0",
    AttemptRow.batch_id: None,
    AttemptRow.http_status: None,
    AttemptRow.stop_reason: None,
    AttemptRow.stop_category: None,
    AttemptRow.service_tier: None,
    AttemptRow.usd_is_bound: "false",
}
"""Columns and what they hold in the rows that are there, as SQL; None: nothing."""
_ADDED_IN_3 = {AttemptRow.hedge_of: None}
_ADDED_IN_4 = {PlanRow.attempt_id: None}


def migrate(connection: Connection) -> None:
    """Bring a database of an earlier version to version 4, in the transaction of `connection`.

    The tables that a version adds are made afterwards, as in a fresh database.
    """
    version = connection.scalar(select(SchemaVersion.version))
    if version == 1:
        _complete(connection, AttemptRow, _ADDED_IN_2)
    if version in (1, 2):
        _complete(connection, AttemptRow, _ADDED_IN_3)
    if version in (1, 2, 3):
        _complete(connection, PlanRow, _ADDED_IN_4)
        connection.execute(update(SchemaVersion).values(version=4))


def _complete(
    connection: Connection,
    kind: type[Base],
    added: Mapping[InstrumentedAttribute[Any], str | None],
) -> None:
    table = Base.metadata.tables[kind.__tablename__]
    for attribute, value in added.items():
        column = table.columns[attribute.key]
        _add_column(connection, table.name, column.name, column.type, value)
    known = {index["name"] for index in inspect(connection).get_indexes(table.name)}
    for index in table.indexes:
        if index.name not in known:
            index.create(connection)


def _add_column(
    connection: Connection, table: str, name: str, kind: TypeEngine[Any], value: str | None
) -> None:
    default = "" if value is None else f" DEFAULT {value} NOT NULL"
    written = kind.compile(connection.dialect)
    connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {name} {written}{default}"))
