"""Writes rows by SQL that was made once: a session's flush costs many times as much.

For rows that no session knows any more, in transactions that happen for every request.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Table, and_, bindparam, delete, insert, update
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

from rocm_pipeline.records.driver import DriverCursor
from rocm_pipeline.records.schema import Base

Values = tuple[Any, ...]
"""What the columns of a row hold: first those of the key, then the others as the table has them."""
Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Prepared:
    """A statement in a database's own words."""

    sql: str
    order: tuple[str, ...] | None
    """Names of its parameters where they are told by their places alone."""

    @classmethod
    def of(cls, statement: ClauseElement, dialect: Dialect) -> "Prepared":
        compiled = statement.compile(dialect=dialect)
        order = getattr(compiled, "positiontup", None)
        return cls(str(compiled), None if order is None else tuple(order))

    def run(self, cursor: DriverCursor, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Run it once for each set of parameters, given by name."""
        if self.order is None:
            cursor.run(self.sql, [dict(given) for given in parameters])
        else:
            placed = [tuple(given[name] for name in self.order) for given in parameters]
            cursor.run(self.sql, placed)


@dataclass(frozen=True)
class _OfTable:
    """The statements for one table; the key's parameters are `at_<name>` where it is looked for."""

    columns: tuple[str, ...]
    key: tuple[str, ...]
    values_of: Callable[[Base], Values]
    defaults: Values
    converts: tuple[Convert | None, ...]
    insert: Prepared
    update: Prepared
    delete: Prepared


def values_of(row: Base) -> Values:
    """Return what would be written of a row; between two equal ones no write is needed."""
    return _getter(type(row))(row)


def insert_rows(cursor: DriverCursor, rows: Sequence[Base]) -> None:
    """Write rows of one table that are not there; columns left unset get their defaults."""
    if rows:
        table = _of_table(type(rows[0]), cursor.dialect)
        table.insert.run(cursor, [_parameters(table, row) for row in rows])


def update_rows(cursor: DriverCursor, rows: Sequence[Base]) -> None:
    """Write rows of one table that are there."""
    if rows:
        table = _of_table(type(rows[0]), cursor.dialect)
        given = [_parameters(table, row) for row in rows]
        table.update.run(cursor, [_at(table, values) | values for values in given])


def delete_rows(cursor: DriverCursor, rows: Sequence[Base]) -> None:
    """Remove rows of one table; those that are not there are passed over."""
    if rows:
        table = _of_table(type(rows[0]), cursor.dialect)
        given = [_parameters(table, row) for row in rows]
        table.delete.run(cursor, [_at(table, values) for values in given])


@cache
def _getter(kind: type[Base]) -> Callable[[Base], Values]:
    key, others = _columns(kind)
    return attrgetter(*key, *others)


def _columns(kind: type[Base]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    table = kind.__table__
    assert isinstance(table, Table)
    key = tuple(column.name for column in table.primary_key)
    return key, tuple(column.name for column in table.columns if column.name not in key)


@cache
def _of_table(kind: type[Base], dialect: Dialect) -> _OfTable:
    table = kind.__table__
    assert isinstance(table, Table)
    key, others = _columns(kind)
    columns = (*key, *others)
    at = and_(*[table.c[name] == bindparam(f"at_{name}") for name in key])
    written = update(table).where(at).values({name: bindparam(name) for name in others})
    types = [table.c[name].type.dialect_impl(dialect) for name in columns]
    return _OfTable(
        columns=columns,
        key=key,
        values_of=_getter(kind),
        defaults=tuple(getattr(table.c[name].default, "arg", None) for name in columns),
        converts=tuple(kind.bind_processor(dialect) for kind in types),
        insert=Prepared.of(insert(table), dialect),
        update=Prepared.of(written, dialect),
        delete=Prepared.of(delete(table).where(at), dialect),
    )


def _parameters(table: _OfTable, row: Base) -> dict[str, Any]:
    named = zip(table.columns, table.values_of(row), table.defaults, table.converts, strict=True)
    found: dict[str, Any] = {}
    for name, value, default, convert in named:
        set_value = default if value is None else value
        found[name] = set_value if convert is None else convert(set_value)
    return found


def _at(table: _OfTable, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"at_{name}": values[name] for name in table.key}
