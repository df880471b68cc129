"""A transaction in the words of the database's driver, for what happens with every request.

SQLAlchemy's layers cost several times what SQLite needs for a small statement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPICursor


@dataclass(frozen=True)
class DriverCursor:
    """Runs statements that were made for `dialect`. Errors are the driver's."""

    dialect: Dialect
    cursor: DBAPICursor

    def value(self, sql: str) -> Any:
        """Return the first value of the first row; None when there is no row."""
        self.cursor.execute(sql)
        row = self.cursor.fetchone()
        return None if row is None else row[0]

    def run(self, sql: str, parameters: Sequence[Any] = ((),)) -> None:
        """Run a statement once for each set of parameters, which are in the driver's own style."""
        self.cursor.executemany(sql, parameters)
