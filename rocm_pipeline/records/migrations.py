"""Brings the tables of an older version of the program to this one's; nothing is lost."""

from typing import Any

from sqlalchemy import Connection, inspect, select, text, update
from sqlalchemy.types import TypeEngine

from rocm_pipeline.records.schema import AttemptRow, SchemaVersion

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


def migrate(connection: Connection) -> None:
    """Bring a database of version 1 to version 2, in the transaction of `connection`."""
    if connection.scalar(select(SchemaVersion.version)) != 1:
        return
    columns = AttemptRow.__table__.columns
    for attribute, value in _ADDED_IN_2.items():
        _add_column(connection, attribute.key, columns[attribute.key].type, value)
    known = {index["name"] for index in inspect(connection).get_indexes("attempts")}
    for index in AttemptRow.__table__.indexes:  # type: ignore[attr-defined]
        if index.name not in known:
            index.create(connection)
    connection.execute(update(SchemaVersion).values(version=2))


def _add_column(
    connection: Connection, name: str, kind: TypeEngine[Any], value: str | None
) -> None:
    default = "" if value is None else f" DEFAULT {value} NOT NULL"
    written = kind.compile(connection.dialect)
    connection.execute(text(f"ALTER TABLE attempts ADD COLUMN {name} {written}{default}"))
