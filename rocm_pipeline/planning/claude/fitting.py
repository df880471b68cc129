"""How the data blocks of a prompt share the room that there is, and what is shown of a long one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rocm_pipeline.planning.claude.tokens import CHARACTERS_PER_TOKEN, about_tokens
from rocm_pipeline.quoting.blocks import Block
from rocm_pipeline.quoting.untrusted import Untrusted, untrusted

OVERHEAD = 30
"""Tokens of a block's delimiters, name and fence."""
LEAST = 80
"""Tokens below which the beginning of something says too little to be shown."""
_NOTE = 45
"""Characters kept for the line that says how much is not shown."""


def cost(block: Block) -> int:
    return about_tokens(block.content.text) + OVERHEAD


@dataclass(frozen=True)
class Piece:
    """A block that wants a place."""

    block: Block
    name: str
    """As it is called where it is left out."""
    path: str = ""

    @property
    def cost(self) -> int:
        return cost(self.block)


@dataclass(frozen=True)
class Fitted:
    """What is shown of a piece in the tokens that it was given; nothing where `block` is None."""

    piece: Piece
    block: Block | None
    room: int

    @property
    def cost(self) -> int:
        return cost(self.block) if self.block else 0

    @property
    def words(self) -> str:
        """Return why nothing of it is shown."""
        return f"{self.piece.name}: {self.piece.cost} tokens, more than the {self.room} left"


def shares(costs: Sequence[int], room: int) -> list[int]:
    """Divide `room`: equal parts, and what one does not need of its part goes to the others."""
    given = [0] * len(costs)
    room = max(room, 0)
    for waiting, place in zip(
        range(len(costs), 0, -1), sorted(range(len(costs)), key=costs.__getitem__), strict=True
    ):
        given[place] = min(costs[place], room // waiting)
        room -= given[place]
    return given


def fit(piece: Piece, room: int) -> Fitted:
    """Show a piece whole, its beginning, or nothing where too little of it would be seen."""
    if piece.cost <= room:
        return Fitted(piece, piece.block, room)
    if room < LEAST:
        return Fitted(piece, None, room)
    longest = (room - OVERHEAD) * CHARACTERS_PER_TOKEN - _NOTE
    beginning = _beginning(piece.block.content.text, longest)
    return Fitted(piece, replace(piece.block, content=beginning), room)


def fit_together(pieces: Sequence[Piece], room: int) -> list[Fitted]:
    """Share `room` among as many of the first pieces as have enough each; the rest get nothing."""
    for count in range(len(pieces), 0, -1):
        given = shares([piece.cost for piece in pieces[:count]], room)
        if all(part >= min(piece.cost, LEAST) for piece, part in zip(pieces, given, strict=False)):
            return [
                fit(piece, part)
                for piece, part in zip(pieces, given + [0] * (len(pieces) - count), strict=True)
            ]
    return [fit(piece, 0) for piece in pieces]


def fit_in_turn(pieces: Sequence[Piece], room: int) -> list[Fitted]:
    """Give each piece what those before it left."""
    found: list[Fitted] = []
    for piece in pieces:
        found.append(fit(piece, room))
        room -= found[-1].cost
    return found


def _beginning(text: str, longest: int) -> Untrusted:
    """Return the first whole lines and how many follow, or a part of a line that is too long."""
    lines = text.split("\n")
    kept = 0
    left = longest
    while kept < len(lines) and len(lines[kept]) < left:
        left -= len(lines[kept]) + 1
        kept += 1
    if not kept:
        return untrusted(text, longest)
    note = f"[... lines not shown: {len(lines) - kept}]"
    return untrusted("\n".join([*lines[:kept], note]))
