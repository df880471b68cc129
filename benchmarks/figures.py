"""A table of figures against aims: a row each, honest when an aim is missed."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured figure. `aim` is the most it may be; None when it has no aim."""

    what: str
    value: float
    unit: str
    aim: float | None = None

    @property
    def met(self) -> bool:
        return self.aim is None or self.value <= self.aim


def show(title: str, figures: Sequence[Figure], console: Console) -> bool:
    """Print the table; True when every aim is met."""
    table = Table("what", "figure", "aim", "met", title=title)
    for figure in figures:
        aim = "" if figure.aim is None else f"at most {figure.aim:g} {figure.unit}"
        met = "" if figure.aim is None else ("met" if figure.met else "SHORT")
        table.add_row(figure.what, f"{figure.value:.2f} {figure.unit}", aim, met)
    console.print(table)
    return all(figure.met for figure in figures)
