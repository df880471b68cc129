"""One cache: which sectors of memory it holds."""

from rocm_pipeline.lab.emulator.trace import LINE_BYTES

_DIRTY_SHIFT = 8
"""A line's state: a bit for each valid sector, and from here on one for each that was written."""
_SPREAD = 0x9E3779B97F4A7C15
_SPREAD_SHIFT = 24
_MASK = (1 << 64) - 1
"""Multiplication by it sends neighbouring lines to unrelated sets (Knuth)."""


class Cache:
    """Set-associative, of lines of so many sectors; the least recently used line goes first.

    `hashed` spreads lines over the sets as if at random, else neighbours lie in neighbouring sets.
    """

    def __init__(self, size: int, line_bytes: int, ways: int, *, hashed: bool = True) -> None:
        self._sectors = line_bytes // LINE_BYTES
        self._ways = ways
        count = max(size // line_bytes // ways, 1)
        self._sets: list[dict[int, int]] = [{} for _ in range(count)]
        self._multiplier = _SPREAD if hashed else 1
        self._shift = _SPREAD_SHIFT if hashed else 0

    def read(self, sector: int) -> bool:
        """Take a sector in; return whether it was there."""
        line, bit = divmod(sector, self._sectors)
        lines = self._set_of(line)
        state = lines.pop(line, 0)
        lines[line] = state | 1 << bit
        self._make_room(lines)
        return bool(state >> bit & 1)

    def write(self, sector: int) -> bool:
        """Take a written sector in; return whether it was there and written already.

        Each time that it was not, it will go to memory once.
        """
        line, bit = divmod(sector, self._sectors)
        lines = self._set_of(line)
        state = lines.pop(line, 0)
        lines[line] = state | 1 << bit | 1 << (bit + _DIRTY_SHIFT)
        self._make_room(lines)
        return bool(state >> (bit + _DIRTY_SHIFT) & 1)

    def missing(self, sector: int) -> range:
        """Take the whole line of a sector in; return the sectors that had to come for it."""
        line = sector // self._sectors
        lines = self._set_of(line)
        had = lines.pop(line, 0)
        lines[line] = 1
        self._make_room(lines)
        first = line * self._sectors
        return range(first, first if had else first + self._sectors)

    def _set_of(self, line: int) -> dict[int, int]:
        spread = (line * self._multiplier & _MASK) >> self._shift
        return self._sets[spread % len(self._sets)]

    def _make_room(self, lines: dict[int, int]) -> None:
        if len(lines) > self._ways:
            del lines[next(iter(lines))]
