"""Forty made-up secrets, and the spellings in which they are looked for."""

import base64
import codecs
import hashlib
import json
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
    "numbers": lambda s: ", ".join(map(str, s.encode())),
}
