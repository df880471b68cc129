"""A table of figures against aims: a row each, honest when an aim is missed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured figure with its bounds; without any it is shown for information."""

    what: str
    value: float
    unit: str
    aim: float | None = None
    """The most it may be."""
    least: float | None = None
    """The least it may be."""

    @property
    def met(self) -> bool:
        """Whether the figure is within its bounds."""
        not_over = self.aim is None or self.value <= self.aim
        return not_over and (self.least is None or self.value >= self.least)

    @property
    def bounds(self) -> str:
        """The aim in words; empty when there is none."""
        words: list[str] = []
        if self.least is not None:
            words.append(f"at least {_number(self.least)}")
        if self.aim is not None:
            words.append(f"at most {_number(self.aim)}")
        return f"{' and '.join(words)} {self.unit}".strip() if words else ""


@dataclass(frozen=True)
class NotRun:
    """A figure that could not be taken here, and why; nobody has met its aim."""

    what: str
    reason: str
    met: bool = field(default=False, init=False)


Row = Figure | NotRun

HEADINGS = ("what", "figure", "aim", "met")


def rows(figures: Sequence[Row]) -> list[tuple[str, str, str, str]]:
    """Return the cells of the table, under `HEADINGS`."""
    return [_cells(figure) for figure in figures]


def _cells(figure: Row) -> tuple[str, str, str, str]:
    if isinstance(figure, NotRun):
        return figure.what, "not run", figure.reason, "not run"
    return (
        figure.what,
        f"{_number(figure.value)} {figure.unit}".strip(),
        figure.bounds,
        "" if not figure.bounds else ("met" if figure.met else "SHORT"),
    )


def show(title: str, figures: Sequence[Row], console: Console) -> bool:
    """Print the table; True when every aim is met and nothing is missing."""
    table = Table(*HEADINGS, title=title)
    for row in rows(figures):
        table.add_row(*row)
    console.print(table)
    return all(figure.met for figure in figures)


def as_markdown(figures: Sequence[Row]) -> str:
    """Return the table for a document; what belongs to the row above is indented there, too."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *rows(figures)]
    return "".join(f"| {' | '.join(map(_cell, cells))} |\n" for cells in lines)


def _cell(text: str) -> str:
    return f"&nbsp;&nbsp;{text[2:]}" if text.startswith("  ") else text


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
