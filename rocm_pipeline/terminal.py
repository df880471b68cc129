"""Where the commands print. Text is shown as it is, and none of it can steer the terminal.

Titles, paths, names, and whatever servers, compilers and agents say reach a person through here.
"""

import os
import re
from collections.abc import Iterable
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# Controls of both sets but the end of a line, what turns the direction of writing, and the halves
# of characters that stand for bytes which are no text and that no terminal can be sent.
_STEERING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_CONTROLS = re.compile("[\x7f-\x9f]")


class PlainConsole(Console):
    """A console for which no text is markup; colours come from styles alone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            # those with `control` move the cursor for a live table, and hold no text of anybody
            yield (
                segment
                if segment.control
                else segment._replace(text=_STEERING.sub("", segment.text))
            )


# without a terminal (a log, a pipe) tables keep a readable width instead of 80 columns
out = PlainConsole(width=None if os.isatty(1) else 160)
err = PlainConsole(stderr=True)


def say(text: str) -> None:
    """Print lines, however long, without breaking them."""
    out.print(text, soft_wrap=True)


def print_json(text: str) -> None:
    """Print JSON; what a terminal may obey is in it as the same text, escaped."""
    typer.echo(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
