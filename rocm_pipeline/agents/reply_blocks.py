"""Splits the Markdown of a reply into headings, fenced blocks and prose."""

import re
from dataclasses import dataclass

_OPENING = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([^`]*)$")
_SECTION = re.compile(
    r"^\s*(?:#{1,6}\s*)?[*_]*(EXPLANATION|CONFIDENCE|LIMITATIONS?)\b[*_]*\s*[:\-]?[*_]*\s*(.*)$",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"^\s*(?:#{1,6}\s*)?[*_`]*(?:FILE(?:\s*NAME|\s*PATH)?)\s*[:\-][*_]*\s*(?P<path>\S.*)$",
    re.IGNORECASE,
)
_BARE_NAME = re.compile(
    r"^\s*(?:#{1,6}\s+|\d+[.)]\s+|[-*]\s+)?[*_`]*(?P<path>[\w./-]+\.\w+)[*_`]*:?[*_]*\s*$"
)
_LONGEST_HEADING = 300
"""Longer lines are never headings or fences; it also bounds the patterns' backtracking."""
_DECORATION = " \t*_`\"':#"


class UnclosedBlockError(ValueError):
    """The text ends inside a fenced block."""


@dataclass(frozen=True)
class FileHeading:
    """`explicit` when the line says FILE; otherwise it is only a file's name on its own line."""

    path: str
    explicit: bool


@dataclass(frozen=True)
class SectionHeading:
    """`name` is EXPLANATION, CONFIDENCE or LIMITATIONS."""

    name: str


@dataclass(frozen=True)
class Fenced:
    """`info` is what follows the opening fence, usually a language."""

    info: str
    text: str

    @property
    def language(self) -> str:
        return re.split(r"[\s:{]", self.info.strip().lower(), maxsplit=1)[0]


@dataclass(frozen=True)
class Prose:
    text: str


Part = FileHeading | SectionHeading | Fenced | Prose


def split(text: str) -> list[Part]:
    """Return the parts of `text` in order; raises `UnclosedBlockError` when it is cut off."""
    lines = text.split("\n")
    parts: list[Part] = []
    index = 0
    while index < len(lines):
        opening = _fence_in(lines[index])
        if opening is None:
            parts.extend(_read_line(lines[index]))
            index += 1
            continue
        end = _end_of_block(lines, index, opening[1], _is_markdown(opening[2], parts))
        parts.append(Fenced(opening[2].strip(), "\n".join(lines[index + 1 : end]) + "\n"))
        index = end + 1
    return parts


def _is_markdown(info: str, before: list[Part]) -> bool:
    last = next((part for part in reversed(before) if not is_blank(part)), None)
    under_heading = isinstance(last, FileHeading) and last.path.endswith(".md")
    return under_heading or info.strip().lower() in ("markdown", "md")


def is_blank(part: Part) -> bool:
    """Return whether the part is an empty line."""
    return isinstance(part, Prose) and not part.text.strip()


def _end_of_block(lines: list[str], start: int, fence: str, markdown: bool) -> int:
    """Return the line of the closing fence.

    A Markdown file may hold blocks of its own. When the fences are equally long, one with a
    language opens an inner block and the next bare one closes it.
    """
    depth = 1
    for index in range(start + 1, len(lines)):
        match = _fence_in(lines[index])
        if match is None or match[1][0] != fence[0] or len(match[1]) < len(fence):
            continue
        if not match[2].strip():
            depth -= 1
        elif markdown and len(match[1]) == len(fence):
            depth += 1
        if depth == 0:
            return index
    raise UnclosedBlockError(f"the block that opens on line {start + 1} is never closed")


def _fence_in(line: str) -> re.Match[str] | None:
    return _OPENING.match(line) if len(line) <= _LONGEST_HEADING else None


def _read_line(line: str) -> list[Part]:
    if len(line) > _LONGEST_HEADING:
        return [Prose(line)]
    section = _SECTION.match(line)
    if section is not None and _looks_like_heading(line, section[2]):
        name = "LIMITATIONS" if section[1].upper().startswith("LIMIT") else section[1].upper()
        rest = section[2].strip()
        return [SectionHeading(name), *([Prose(rest)] if rest else [])]
    for pattern, explicit in ((_FILE, True), (_BARE_NAME, False)):
        file = pattern.match(line)
        if file is not None:
            return [FileHeading(file["path"].split()[0].strip(_DECORATION), explicit)]
    return [Prose(line)]


def _looks_like_heading(line: str, rest: str) -> bool:
    """`Confidence: 0.8` and `### Limitations` are headings, `Limitations of LDS are` is prose."""
    marked = line.lstrip().startswith(("#", "*", "_"))
    return marked or not rest or re.match(r"^\s*\w+\s*:", line) is not None
