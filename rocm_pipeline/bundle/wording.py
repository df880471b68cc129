"""What came of a verification, for a person in a terminal."""

from rich.table import Table
from rich.text import Text

from rocm_pipeline.bundle.claims import Reproduction, Row, Verdict
from rocm_pipeline.errors import one_line

_LONGEST = 160
_STYLES = {Verdict.REPRODUCED: "green", Verdict.NOT_REPRODUCED: "red", Verdict.UNCHECKED: "yellow"}


def claims_table(found: Reproduction) -> Table:
    """Return one row for each claim, for a `PlainConsole`: the bundle has said much of it."""
    tier = "no tier" if found.tier is None else found.tier.label
    title = f"{found.target}: kernel {found.candidate}, evidence {found.evidence}"
    table = Table(title=one_line(f"{title} ({found.status.value}, {tier})"))
    for heading in ("claim", "recorded", "found here", "verdict"):
        table.add_column(heading, overflow="fold")
    for row in found.rows:
        table.add_row(
            one_line(_claim(row), _LONGEST),
            one_line(row.recorded, _LONGEST),
            one_line(row.found, _LONGEST),
            Text(one_line(_verdict(row), _LONGEST), _STYLES[row.verdict]),
        )
    return table


def _claim(row: Row) -> str:
    return f"baseline: {row.claim}" if row.about_baseline else row.claim


def _verdict(row: Row) -> str:
    return f"{row.verdict.value}: {row.reason}" if row.reason else row.verdict.value
