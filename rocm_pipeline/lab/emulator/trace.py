"""The requests of a launch to global memory, in the order in which each wave made them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

LINE_BYTES = 64
"""Unit of the lines of a trace."""
MOST_TRACE_BYTES = 512 << 20
_HEAD = 5
_LAUNCH_MARK = 0xFFFFFFFF
_WAVE_SHIFT = 16
_MOST_BLOCKS = 1 << 22
_MOST_LINES = 128
"""Of one request: 64 lanes, each at the end of one line and the beginning of another."""


@dataclass(frozen=True)
class BufferLines:
    """The lines that a buffer lies on."""

    name: str
    first: int
    last: int

    @classmethod
    def of(cls, name: str, begin: int, size: int) -> "BufferLines":
        """Return the lines of `size` bytes from `begin` in the memory for all buffers."""
        return cls(name, begin // LINE_BYTES, (begin + max(size, 1) - 1) // LINE_BYTES)


@dataclass(frozen=True)
class Request:
    """One wave instruction to global memory."""

    site: int
    """Index into the build's sites."""
    lanes: int
    """Work-items that took part."""
    bytes: int
    lines: tuple[int, ...]
    """Distinct lines of 64 bytes, from the lowest lane on."""


Wave = tuple[Request, ...]
Block = tuple[Wave, ...]


@dataclass(frozen=True)
class LaunchTrace:
    """What the profiled blocks of a launch asked global memory for, in the order of running."""

    blocks: tuple[Block, ...]
    buffers: tuple[BufferLines, ...]

    def buffer_of(self, line: int) -> str:
        """Return the name of the buffer that a line belongs to; buffers share no line."""
        for buffer in self.buffers:
            if buffer.first <= line <= buffer.last:
                return buffer.name
        raise ValueError(f"line {line} belongs to no buffer")


def read_traces(
    data: bytes, launches: int, sites: int, buffers: Sequence[BufferLines]
) -> tuple[LaunchTrace, ...]:
    """Decode what the runtime wrote; raises ValueError when it cannot be true."""
    words: list[int] = np.frombuffer(data, np.uint32).tolist()
    found: list[list[dict[int, list[Request]]]] = []
    place = 0
    while place < len(words):
        if place + _HEAD > len(words):
            raise ValueError("a trace that is cut off")
        block, site, wave_and_lanes, size, count = words[place : place + _HEAD]
        place += _HEAD
        if block == _LAUNCH_MARK:
            if site != len(found):
                raise ValueError(f"a trace of launch {site} after {len(found)} launches")
            found.append([])
            continue
        if not found or not 1 <= site <= sites or not 1 <= count <= _MOST_LINES:
            raise ValueError("a trace of a request that cannot be")
        if place + count > len(words) or block >= _MOST_BLOCKS:
            raise ValueError("a trace that is cut off or out of order")
        while len(found[-1]) <= block:
            found[-1].append({})
        lanes = wave_and_lanes & ((1 << _WAVE_SHIFT) - 1)
        lines = tuple(words[place : place + count])
        waves = found[-1][block]
        waves.setdefault(wave_and_lanes >> _WAVE_SHIFT, []).append(
            Request(site - 1, lanes, size, lines)
        )
        place += count
    if len(found) != launches:
        raise ValueError(f"a trace of {len(found)} launches instead of {launches}")
    return tuple(LaunchTrace(tuple(_blocks(each)), tuple(buffers)) for each in found)


def _blocks(found: Sequence[dict[int, list[Request]]]) -> Iterator[Block]:
    for waves in found:
        yield tuple(tuple(waves[wave]) for wave in sorted(waves))
