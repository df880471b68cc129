"""A table of figures against aims: a row each, honest when an aim is missed."""

from collections.abc import Sequence
from dataclasses import dataclass

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


def show(title: str, figures: Sequence[Figure], console: Console) -> bool:
    """Print the table; True when every aim is met."""
    table = Table("what", "figure", "aim", "met", title=title)
    for figure in figures:
        met = "" if not figure.bounds else ("met" if figure.met else "SHORT")
        value = f"{_number(figure.value)} {figure.unit}".strip()
        table.add_row(figure.what, value, figure.bounds, met)
    console.print(table)
    return all(figure.met for figure in figures)


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
