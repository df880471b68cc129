"""Forty made-up secrets, and the spellings in which they are looked for."""

import base64
import codecs
import hashlib
import json
import string
from collections.abc import Callable, Mapping
from urllib.parse import quote


def _canary(number: int) -> str:
    digest = hashlib.sha512(f"canary {number}".encode()).digest()
    body = base64.urlsafe_b64encode(digest).decode()[: 14 + number]
    extra = (
        "",
        "+/=",
        "!$&",
        "p@ss:w/rd",
        "-._~",
        " with space ",
        '"quoted"',
        "\\back",
        "%41",
        "é",
    )
    return f"Cn{number:02d}{body}{extra[number % len(extra)]}9Z"


CANARIES = tuple(_canary(number) for number in range(40))

_LETTERS = string.ascii_letters + string.digits


def _one_letter(secret: str, escape: Callable[[int], str]) -> str:
    """Return `secret` with an escape in the place of a letter in its middle."""
    middle = len(secret) // 2
    letters = (i for i in range(middle, len(secret)) if secret[i] in _LETTERS)
    place = next(letters)
    return secret[:place] + escape(ord(secret[place])) + secret[place + 1 :]


def _full_width(secret: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in secret)


ENCODINGS: Mapping[str, Callable[[str], str]] = {
    "raw": str,
    "reversed": lambda s: s[::-1],
    "hex": lambda s: s.encode().hex(),
    "upper-case hex": lambda s: s.encode().hex().upper(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64, one byte before": lambda s: base64.b64encode(b"u" + s.encode()).decode(),
    "base64, two bytes before": lambda s: base64.b64encode(b"u:" + s.encode()).decode(),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "base64 of base64": lambda s: base64.b64encode(base64.b64encode(s.encode())).decode(),
    "base32": lambda s: base64.b32encode(s.encode()).decode(),
    "url": lambda s: quote(s, safe=""),
    "percent throughout": lambda s: "".join(f"%{byte:02X}" for byte in s.encode()),
    "json": lambda s: json.dumps(s)[1:-1],
    "unicode escapes": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "hex escapes": lambda s: "".join(f"\\x{byte:02x}" for byte in s.encode()),
    "rot13": lambda s: codecs.encode(s, "rot13"),
    "one character a line": "\n".join,
    "spaces between": " ".join,
    "pieces in quotes": lambda s: '" + "'.join(s[i : i + 5] for i in range(0, len(s), 5)),
    "base64 of hex": lambda s: base64.b64encode(s.encode().hex().encode()).decode(),
    "base64 of base64 after a user": lambda s: base64.b64encode(
        b"x" + base64.b64encode(b"user:" + s.encode())
    ).decode(),
    "hex of base64": lambda s: base64.b64encode(s.encode()).hex(),
    "UTF-16 in hex": lambda s: s.encode("utf-16-be").hex(),
    "UTF-16 in base64": lambda s: base64.b64encode(s.encode("utf-16-be")).decode(),
    "UTF-16-LE in hex": lambda s: s.encode("utf-16-le").hex(),
    "base85": lambda s: base64.b85encode(s.encode()).decode(),
    "base85, one byte before": lambda s: base64.b85encode(b"u" + s.encode()).decode(),
    "ascii85": lambda s: base64.a85encode(s.encode()).decode(),
    "one letter percent-encoded": lambda s: _one_letter(s, lambda code: f"%{code:02x}"),
    "one letter percent-encoded twice": lambda s: _one_letter(s, lambda code: f"%25{code:02X}"),
    "one letter escaped": lambda s: _one_letter(s, lambda code: f"\\u{code:04x}"),
    "one letter as an entity": lambda s: _one_letter(s, lambda code: f"&#{code};"),
    "octal escapes": lambda s: "".join(f"\\{byte:o}" for byte in s.encode()),
    "octal numbers": lambda s: " ".join(f"{byte:o}" for byte in s.encode()),
    "hexadecimal numbers": lambda s: ", ".join(f"0x{byte:02x}" for byte in s.encode()),
    "escapes in braces": lambda s: "".join(f"\\u{{{ord(c):x}}}" for c in s),
    "long escapes": lambda s: "".join(f"\\U{ord(c):08x}" for c in s),
    "entities": lambda s: "".join(f"&#x{ord(c):x};" for c in s),
    "full width": _full_width,
    "numbers": lambda s: ", ".join(map(str, s.encode())),
}
