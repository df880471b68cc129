"""Text written by untrusted code, made safe to print and to store."""

import re

_ESCAPE_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC and other strings: titles, links
    r"|\x1b[ -/]*[0-~]"
)
# C0 and C1 controls other than tab and newline, and those that reorder text on the screen.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(data: bytes) -> str:
    """UTF-8 text without escape sequences and control characters; bad bytes become U+FFFD."""
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n")
    return _CONTROLS.sub("", _ESCAPE_SEQUENCES.sub("", text))
