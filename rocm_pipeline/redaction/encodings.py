"""The ways in which a secret may be spelled.

Text is searched squeezed: lower case, letters and digits alone. What only changes punctuation,
white space, case or padding (quotes and `+` of a concatenation, line breaks, `%` and `\\` of
escapes, `0x41, 0x42`, URL-safe base64, UTF-16, upper-case hexadecimal) is then spelled alike.
"""

import base64
import codecs
import html
import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

_ALPHANUMERIC = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LOWER = bytes(range(256)).lower()
_OTHER = bytes(set(range(256)) - set(_ALPHANUMERIC))
IS_KEPT = bytes(byte in _ALPHANUMERIC for byte in range(256))
"""By byte: 1 where `squeeze` keeps it."""
SHORTEST = 8
"""Squeezed bytes below which a spelling cannot be told from ordinary text."""


def squeeze(data: bytes) -> bytes:
    """Return the letters and digits of `data`, in lower case."""
    return data.translate(_LOWER, _OTHER)


def spellings(secret: str) -> frozenset[bytes]:
    """Return the squeezed spellings of `secret` that are long enough to be searched for."""
    found = {squeeze(spelling) for spelling in _spellings(secret)}
    return frozenset(spelling for spelling in found if len(spelling) >= SHORTEST)


def _spellings(secret: str) -> Iterator[bytes]:
    raw = secret.encode("utf-8", "surrogatepass")
    for text in (secret, secret[::-1], codecs.encode(secret, "rot13")):
        yield text.encode("utf-8", "surrogatepass")
        yield json.dumps(text).encode()
    yield raw[::-1]
    yield raw.hex().encode()
    yield quote(secret, safe="").encode()
    yield quote(quote(secret, safe=""), safe="").encode()
    yield html.escape(secret).encode()
    yield "".join(f"\\x{byte:02x}" for byte in raw).encode()
    yield "".join(f"\\u{ord(char):04x}" for char in secret).encode()
    yield "".join(f"\\{byte:03o}" for byte in raw).encode()
    yield " ".join(map(str, raw)).encode()
    yield "".join(f"{byte:08b}" for byte in raw).encode()
    yield from _in_groups(raw, base64.b64encode, 3, 6)
    yield from _in_groups(raw, base64.b32encode, 5, 5)
    yield from _in_groups(base64.b64encode(raw), base64.b64encode, 3, 6)
    yield from _in_groups(secret.encode("utf-16-le", "surrogatepass"), base64.b64encode, 3, 6)


def _in_groups(
    raw: bytes, encode: Callable[[bytes], bytes], size: int, bits: int
) -> Iterator[bytes]:
    """Yield what `encode` makes of `raw` wherever in a longer text that stands.

    `size` bytes become characters of `bits` bits each. A character at either end that also depends
    on the neighbours is left off.
    """
    for before in range(size):
        padded = bytes(before) + raw
        first, last = -(-8 * before // bits), 8 * len(padded) // bits
        yield encode(padded + bytes(-len(padded) % size))[first:last]
