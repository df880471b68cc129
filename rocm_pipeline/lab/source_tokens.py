"""The tokens of a candidate's source, as a C++ compiler sees them.

Comments are dropped, line splices undone and literals kept whole, so that a rule about code can
neither be escaped by hiding code nor be tripped by text.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "number", "string", "character", "symbol", "raw string", "open literal"]

_SPLICE = re.compile(r"\\[ \t]*\n")
_TOKEN = re.compile(
    r"""
      (?P<space>[ \t]+ | //[^\n]* | /\*.*?\*/)
    | (?P<newline>\n)
    | (?P<raw_string>(?:u8|[uUL])?R")
    | (?P<string>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*")
    | (?P<character>(?:u8|[uUL])?'(?:\\.|[^'\\\n])*')
    | (?P<open_literal>["'][^\n]* | /\*.*)
    | (?P<number>\.?[0-9](?:'[0-9A-Za-z_]|[eEpP][+-]|[0-9A-Za-z_.])*)
    | (?P<word>[^\W\d]\w*)
    | (?P<symbol><<<|\#\#|%:%:|%:|\[\[|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_DIGRAPHS = {"%:": "#", "%:%:": "##"}


@dataclass(frozen=True)
class Token:
    """One token; `first` when it begins its (spliced) line, as a directive's `#` does.

    `apart` when blanks or a comment stand before it: a macro's `(` does not begin parameters then.
    """

    kind: Kind
    text: str
    line: int
    first: bool
    apart: bool


def tokens(source: str) -> tuple[Token, ...]:
    """Return the tokens of `source`, in time linear in its length.

    A literal or comment that is not closed is one token of kind "open literal", up to the end of
    its line or of the source.
    """
    return tuple(_tokens(_plain_line_ends(source)))


def without_comments(source: str) -> str:
    """Return `source` as a compiler reads it, every line under its own number.

    A comment is blank, and lines that splices join stand on the first of them.
    """
    text, spliced_at = _join(_plain_line_ends(source))
    kept = "".join(
        _blank(found[0]) if _is_comment(found) else found[0] for found in _TOKEN.finditer(text)
    )
    lines: list[str] = []
    begin = 0
    for line, shown in zip(text.split("\n"), kept.split("\n"), strict=True):
        splices = bisect_right(spliced_at, begin + len(line)) - bisect_left(spliced_at, begin)
        lines += [shown.rstrip(), *[""] * splices]
        begin += len(line) + 1
    return "\n".join(lines)


def directives(stream: tuple[Token, ...]) -> Iterator[tuple[Token, ...]]:
    """Yield each preprocessor line without its `#`, at least the `#` itself when it is bare."""
    for index, token in enumerate(stream):
        if token.first and token.text == "#":
            end = index + 1
            while end < len(stream) and not stream[end].first:
                end += 1
            yield stream[index + 1 : end] or (token,)


def _plain_line_ends(source: str) -> str:
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _is_comment(found: re.Match[str]) -> bool:
    return found.lastgroup == "space" and found[0].startswith("/")


def _blank(comment: str) -> str:
    return "\n" * comment.count("\n") or " "


def _tokens(source: str) -> Iterator[Token]:
    text, spliced_at = _join(source)
    line, first, apart = 1, True, False
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "symbol"
        extra = bisect_right(spliced_at, found.start())
        if kind == "newline":
            first = True
        elif kind != "space":
            word = found[0]
            name: Kind = kind.replace("_", " ")  # pyright: ignore[reportAssignmentType]
            yield Token(name, _DIGRAPHS.get(word, word), line + extra, first, apart)
            first = False
        apart = kind == "space"
        line += found[0].count("\n")


def _join(source: str) -> tuple[str, list[int]]:
    """Undo line splices; also return where, in the result, each one was."""
    parts = _SPLICE.split(source)
    offsets: list[int] = []
    length = 0
    for part in parts[:-1]:
        length += len(part)
        offsets.append(length)
    return "".join(parts), offsets
