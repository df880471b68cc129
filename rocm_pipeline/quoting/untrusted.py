"""Foreign text on its way into a prompt: everything in it can be seen, and nothing of it is secret.

What a person who reads the prompt would not see (zero-width and bidirectional characters, tags,
terminal escapes) is spelled out, so that it hides nothing from them that a model reads.
"""

import re
from dataclasses import dataclass

from rocm_pipeline.redaction.process import clean_text

MAX_TEXT = 200_000
"""Characters of any one quoted text."""

_UNUSUAL = re.compile(r"[^\n\t\x20-\x7e]")
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Characters that count as printable and show nothing."""


@dataclass(frozen=True)
class Untrusted:
    """A text that is quoted and never an instruction. Made by `untrusted` alone."""

    text: str


def untrusted(text: str, longest: int = MAX_TEXT) -> Untrusted:
    """Return `text` redacted, visible and cut to `longest` characters, which it then says."""
    shown = visible(clean_text(text))
    if len(shown) > longest:
        shown = shown[:longest] + f"\n[... {len(shown) - longest} more characters are not shown]"
    return Untrusted(shown)


def visible(text: str) -> str:
    """Return `text` with each character that does not show as `<U+200B>`; line ends are plain."""
    return _UNUSUAL.sub(_shown, text.replace("\r\n", "\n"))


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable() and character not in _BLANK:
        return character
    return f"<U+{ord(character):04X}>"
