"""The ways in which a secret may be spelled.

Text is searched squeezed: lower case, letters and digits alone. What only changes punctuation,
white space, case or padding (quotes and `+` of a concatenation, line breaks, `%` and `\\` of
escapes, URL-safe base64, upper-case hexadecimal) is then spelled alike. Escapes of single
characters, and letters of other widths, are read by `decoding` first.
"""

import base64
import codecs
import html
import json
import quopri
import unicodedata
from collections.abc import Callable, Iterator
from urllib.parse import quote

from rocm_pipeline.redaction.decoding import MOST_LEVELS, decoded

_ALPHANUMERIC = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LOWER = bytes(range(256)).lower()
_OTHER = bytes(set(range(256)) - set(_ALPHANUMERIC))
IS_KEPT = bytes(byte in _ALPHANUMERIC for byte in range(256))
"""By byte: 1 where `squeeze` keeps it."""
SHORTEST = 8
"""Squeezed bytes below which a spelling cannot be told from ordinary text."""
SHORTEST_PREFIX = 16
"""Squeezed bytes below which the beginning of a secret may be that of another text."""


def squeeze(data: bytes) -> bytes:
    """Return the letters and digits of `data`, in lower case."""
    return data.translate(_LOWER, _OTHER)


def spellings(secret: str) -> frozenset[bytes]:
    """Return the squeezed spellings of `secret` that are long enough to be searched for."""
    found = {squeeze(spelling) for spelling in _spellings(secret)}
    found |= set(_prefixes(squeeze(secret.encode("utf-8", "surrogatepass"))))
    return frozenset(spelling for spelling in found if len(spelling) >= SHORTEST)


def _prefixes(squeezed: bytes) -> Iterator[bytes]:
    """Yield what a cut secret still begins with: two thirds or more; some few, however long.

    Of a cut that falls between two of them at most the last `step - 1` characters stay.
    """
    step = max(4, len(squeezed) // 24)
    for length in range(max(SHORTEST_PREFIX, -(-2 * len(squeezed) // 3)), len(squeezed), step):
        yield squeezed[:length]


def _spellings(secret: str) -> Iterator[bytes]:
    raw = secret.encode("utf-8", "surrogatepass")
    yield from _decoded(raw)
    for text in (secret, secret[::-1], codecs.encode(secret, "rot13")):
        yield text.encode("utf-8", "surrogatepass")
        yield json.dumps(text).encode()
    for form in ("NFC", "NFD", "NFKC"):
        yield unicodedata.normalize(form, secret).encode("utf-8", "surrogatepass")
    yield raw[::-1]
    yield raw.hex().encode()
    yield quote(secret, safe="").encode()
    yield quote(quote(secret, safe=""), safe="").encode()
    yield html.escape(secret).encode()
    yield quopri.encodestring(raw)
    yield "".join(f"\\x{byte:02x}" for byte in raw).encode()
    yield "".join(f"0x{byte:02x}" for byte in raw).encode()
    yield "".join(f"\\u{ord(char):04x}" for char in secret).encode()
    yield "".join(f"\\{byte:03o}" for byte in raw).encode()
    yield " ".join(f"{byte:o}" for byte in raw).encode()
    yield " ".join(map(str, raw)).encode()
    yield "".join(f"{byte:08b}" for byte in raw).encode()
    yield from _in_base64(raw)
    yield from _in_groups(raw, base64.b32encode, 5, 5)
    yield from _in_groups(raw, base64.b85encode, 4, None)
    yield from _in_groups(raw, base64.a85encode, 4, None)
    for inner in _in_base64(raw):
        yield inner.hex().encode()
        yield from _in_base64(inner)
    yield from _in_base64(raw.hex().encode())
    yield from _in_base64(raw.hex().upper().encode())
    little = secret.encode("utf-16-le", "surrogatepass")
    big = secret.encode("utf-16-be", "surrogatepass")
    for wide in {little[:-1], big[1:]}:  # of ASCII the same; the zero beside them tells nothing
        yield wide.hex().encode()
        yield from _in_base64(wide)


def _decoded(raw: bytes) -> Iterator[bytes]:
    """Yield what a secret that itself looks escaped is read as, where more of it is escaped."""
    for _ in range(MOST_LEVELS):
        inner = decoded(raw)
        if inner is None:
            return
        raw = inner.data
        yield raw


def _in_base64(raw: bytes) -> Iterator[bytes]:
    return _in_groups(raw, base64.b64encode, 3, 6)


def _in_groups(
    raw: bytes, encode: Callable[[bytes], bytes], size: int, bits: int | None
) -> Iterator[bytes]:
    """Yield what `encode` makes of `raw` wherever in a longer text that stands.

    `size` bytes become characters of `bits` bits each. A character at either end that also depends
    on the neighbours is left off; where `bits` is None, all characters of such a group do.
    """
    for before in range(size):
        if bits is None:
            first = -before % size
            yield encode(raw[first : first + (len(raw) - first) // size * size])
            continue
        padded = bytes(before) + raw
        first, last = -(-8 * before // bits), 8 * len(padded) // bits
        yield encode(padded + bytes(-len(padded) % size))[first:last]
