"""Reads escaped characters as what they stand for: a secret may be escaped in part, or mixed.

`%71`, `\\x71`, `\\u0071`, `\\u{71}`, `\\U00000071`, `\\161`, `&#113;`, `<U+0071>` and characters
that NFKC makes ASCII (full-width letters, for one). Ends of lines that are escaped become spaces:
their letter is none of a secret that is split there.
"""

import html
import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

MOST_LEVELS = 3
"""Escapes within escapes that are read; each level goes through the text once more."""
COMPATIBLE_LEADS = b"\xc2\xc4\xc5\xc7\xca\xcb\xe1\xe2\xea\xef\xf0"
"""First UTF-8 bytes of the characters that NFKC makes ASCII; squared units (U+33xx) left out."""
_LEADS = np.zeros(256, dtype=bool)
_LEADS[list(b"\\%&<" + COMPATIBLE_LEADS)] = True
_BACKSLASH = ord("\\")
_MOST_BACKSLASHES = 64
"""JSON within JSON doubles them each time."""

_ESCAPE = re.compile(
    rb"""\\(?:
            u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\{1,64}u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})
          | u\{(?P<braced>[0-9a-fA-F]{1,6})\}
          | u(?P<four>[0-9a-fA-F]{4})
          | U(?P<eight>[0-9a-fA-F]{8})
          | x(?P<byte>[0-9a-fA-F]{2})
          | (?P<octal>[0-3]?[0-7]{1,2})
          | (?P<end>[nrt])
        )
      | %(?P<percent>[0-9a-fA-F]{2})
      | <U\+(?P<named>[0-9A-F]{4,6})>
      | &(?P<entity>\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos|nbsp);?
      | (?P<wide>[\xc2-\xdf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}|\xf0[\x80-\xbf]{3})
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Decoded:
    """A text with its escapes replaced, and where each of them stood."""

    data: bytes
    places: list[int]
    """In `data`: where a replacement begins."""
    ends: list[int]
    """In `data`: where it ends."""
    sources: list[tuple[int, int]]
    """In the text: what it replaces."""

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Return where in the text `data[start:end]` stood; a replacement counts as a whole."""
        return self._source(start)[0], self._source(end - 1)[1]

    def _source(self, index: int) -> tuple[int, int]:
        number = bisect_right(self.places, index) - 1
        if number < 0:
            return index, index + 1
        if index < self.ends[number]:
            return self.sources[number]
        place = self.sources[number][1] + index - self.ends[number]
        return place, place + 1


def decoded(data: bytes) -> Decoded | None:
    """Return `data` with every escape read once; None where it holds none. Takes linear time."""
    parts: list[bytes] = []
    places: list[int] = []
    ends: list[int] = []
    sources: list[tuple[int, int]] = []
    done = length = 0
    for hit in _hits(data):
        match = _ESCAPE.match(data, hit) if hit >= done else None
        meaning = _meaning(match) if match else None
        if match is None or meaning is None:
            continue
        start = _first_backslash(data, hit, done)
        parts += (data[done:start], meaning)
        places.append(length + start - done)
        length = places[-1] + len(meaning)
        ends.append(length)
        done = match.end()
        sources.append((start, done))
    if not sources:
        return None
    return Decoded(b"".join((*parts, data[done:])), places, ends, sources)


def _hits(data: bytes) -> list[int]:
    """Return where an escape may begin; of several backslashes at the last."""
    text = np.frombuffer(data, dtype=np.uint8)
    leads = _LEADS[text]
    is_backslash = text == _BACKSLASH
    leads[:-1] &= ~(is_backslash[:-1] & is_backslash[1:])
    return np.flatnonzero(leads).tolist()


def _first_backslash(data: bytes, hit: int, done: int) -> int:
    """Return where the run of backslashes that ends at `hit` begins; `hit` where there is none."""
    run = data[max(done, hit + 1 - _MOST_BACKSLASHES) : hit + 1]
    return min(hit, hit + 1 - len(run) + len(run.rstrip(b"\\")))


def _meaning(match: re.Match[bytes]) -> bytes | None:
    """Return what an escape stands for; None where that is what stands there already."""
    kind = match.lastgroup
    text = match[kind] if kind else b""
    match kind:
        case "end":
            return b" "
        case "octal":
            return bytes((int(text, 8),))
        case "byte" | "percent":
            return bytes((int(text, 16),))
        case "low":
            high, low = int(match["high"], 16), int(text, 16)
            return _written(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)
        case "entity":
            return html.unescape(f"&{text.decode()};").encode("utf-8", "surrogatepass")
        case "wide":
            return _as_ascii(text)
        case _:
            return _written(int(text, 16))


def _written(code: int) -> bytes:
    return chr(min(code, 0x10FFFF)).encode("utf-8", "surrogatepass")


@lru_cache(maxsize=4096)
def _as_ascii(char: bytes) -> bytes | None:
    """Return the ASCII that NFKC makes of a character; None where it makes something else."""
    plain = unicodedata.normalize("NFKC", char.decode("utf-8", "replace"))
    return plain.encode() if plain.isascii() else None
