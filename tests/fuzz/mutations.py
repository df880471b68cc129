"""Hostile inputs made from valid ones: cut, repeated, spliced, flipped, and with nasty parts."""

import copy
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

HUGE = "9" * 5000
DEEP = 3000
"""Levels of nesting, above every recursion limit that an interpreter has by default."""

NASTY_WORDS: tuple[str, ...] = (
    *("", " ", "\n", "\r", "\t", "\0", "\x1b[2J", "\u2028", "\u202e", "\ufeff", "\ud800", "\u0130"),
    *("a\u0301", "\uff11", "\U0001f600", "-", "--", "'", '"', "`", "```", "~~~", "<think>"),
    *("{", "}", "{{", "}}", "{}", "{0}", "[", "]", "(", ")", ",", ":", "#", "//", "/*", "\\", "|"),
    *("0", "-1", "1e999", "nan", "inf", "-0.0", "2147483648", "18446744073709551616", "9**9**9"),
    *("null", "true", "None", "../../etc/passwd", "/dev/zero", ".git/hooks/x", "CON", "a" * 300),
    HUGE,
)
NASTY_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**300, 0.5, -0.0, 1e308),
    *(float("inf"), float("-inf"), float("nan"), "", " ", "x", "\n", "\ud800", "\0", [], {}, [[]]),
    *([None], {"": None}, {"x": {}}, ["x"] * 50, "a" * 5000, HUGE, "\x1b[31m", "1\n2", "{x}"),
)
NESTED: tuple[str, ...] = tuple(
    opening * DEEP + closing * DEEP
    for opening, closing in (
        ("(", ")"),
        ("[", "]"),
        ("{", "}"),
        ("-", ""),
        ("[", ""),
        ('{"a":', ""),
    )
)
_LONGEST_WORD = 60
_NASTY_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)

_places = st.floats(0, 1, exclude_max=True)
_few = st.sampled_from((1, 1, 1, 1, 2, 2, 3, 4))
"""How many edits: mostly one, so that what is left still gets past the first checks."""
_lengths = st.integers(1, 64)


@st.composite
def mutated_text(draw: st.DrawFn, seeds: Sequence[str], words: Sequence[str] = NASTY_WORDS) -> str:
    """Return one of `seeds` after up to four edits, or now and then any text at all."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.text(st.characters(), max_size=200))
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(_few)):
        text = _edited(draw, text, seeds, words)
    return text


def _edited(draw: st.DrawFn, text: str, seeds: Sequence[str], words: Sequence[str]) -> str:
    begin = int(draw(_places) * (len(text) + 1))
    end = min(len(text), begin + draw(_lengths))
    match draw(st.integers(0, 8)):
        case 0:
            return text[:begin]
        case 1:
            return text[begin:]
        case 2:
            return text[:begin] + text[end:]
        case 3:
            return text[:begin] + text[begin:end] * draw(st.sampled_from((2, 3, 40))) + text[end:]
        case 4:
            other = draw(st.sampled_from(seeds))
            return text[:begin] + other[int(draw(_places) * len(other)) :]
        case 5:
            return text[:begin] + draw(st.text(st.characters(), max_size=5)) + text[end:]
        case 6:
            return text[:begin] + draw(st.sampled_from(NESTED)) + text[begin:]
        case _:
            return text[:begin] + draw(st.sampled_from(words)) + text[begin:]


@st.composite
def mutated_lines(draw: st.DrawFn, seeds: Sequence[str]) -> str:
    """Return one of `seeds` with whole lines dropped, doubled, moved or taken from another."""
    lines = draw(st.sampled_from(seeds)).splitlines()
    for _ in range(draw(_few)):
        place = int(draw(_places) * (len(lines) + 1))
        match draw(st.integers(0, 3)):
            case 0:
                del lines[place : place + draw(st.integers(1, 4))]
            case 1:
                lines[place:place] = lines[place : place + draw(st.integers(1, 4))]
            case 2:
                other = draw(st.sampled_from(seeds)).splitlines()
                lines.insert(place, other[int(draw(_places) * len(other))])
            case _:
                lines.insert(place, draw(st.sampled_from(NASTY_WORDS)))
    return "\n".join(lines) + "\n"


@st.composite
def mutated_bytes(draw: st.DrawFn, seeds: Sequence[bytes], head: int = 0) -> bytes:
    """Return one of `seeds` after bit flips, overwritten fields, cuts and repeats.

    With `head`, half of the edits fall into the first so many bytes, where headers are.
    """
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=200))
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(_few)):
        size = min(head, len(data)) if head and draw(st.booleans()) else len(data)
        place = int(draw(_places) * size)
        match draw(st.integers(0, 7)):
            case 0:
                del data[place:]
            case 1:
                del data[place : place + draw(_lengths)]
            case 2:
                data[place:place] = data[place : place + draw(_lengths)]
            case 3:
                data[place:place] = draw(st.binary(min_size=1, max_size=16))
            case 4 | 5:
                width = draw(st.sampled_from((1, 2, 4, 8)))
                number = draw(st.sampled_from(_NASTY_NUMBERS)) & ((1 << 8 * width) - 1)
                data[place : place + width] = number.to_bytes(width, "little")
            case _:
                if place < len(data):
                    data[place] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


@st.composite
def mutated_document(
    draw: st.DrawFn, seeds: Sequence[Any], values: Sequence[Any] = NASTY_VALUES
) -> Any:
    """Return a copy of a nested document with some of its parts dropped, renamed or replaced."""
    document = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(_few)):
        holder, key = _somewhere(draw, document)
        if holder is None:
            return draw(st.sampled_from(values))
        match draw(st.integers(0, 4)):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[draw(st.sampled_from(NASTY_WORDS))] = holder.pop(key)
            case 2 if isinstance(holder, list):
                holder.extend(copy.deepcopy(holder) * draw(st.sampled_from((1, 20))))
            case _:
                holder[key] = copy.deepcopy(draw(st.sampled_from(values)))
    return document


@st.composite
def nudged_document(draw: st.DrawFn, seeds: Sequence[Any]) -> Any:
    """Return a copy of a document that still has its form: numbers, words and entries differ.

    What checks the form lets it pass, so it gets to the checks of what it means.
    """
    document = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(_few)):
        holder, key = _somewhere(draw, document)
        if holder is not None:
            _nudge(draw, document, holder, key)
    return document


def _nudge(draw: st.DrawFn, document: Any, holder: Any, key: Any) -> None:
    part = holder[key]
    match part:
        case bool():
            holder[key] = not part
        case int():
            holder[key] = draw(st.sampled_from((part + 1, part - 1, 2 * part, part // 2, 1, 0)))
        case float():
            holder[key] = part * draw(st.sampled_from((0.5, 2.0, 1e-3, 1e3, 1.0)))
        case str():
            holder[key] = draw(st.sampled_from([*_words_in(document), part + "_", part.upper()]))
        case list() if part:
            place = int(draw(_places) * len(part))
            other = int(draw(_places) * len(part))
            match draw(st.integers(0, 2)):
                case 0:
                    del part[place]
                case 1:
                    part.append(copy.deepcopy(part[place]))
                case _:
                    part[place], part[other] = part[other], part[place]
        case dict() if part:
            name = draw(st.sampled_from(list(part)))
            if draw(st.booleans()):
                del part[name]
            else:
                part[f"{name}_2"] = copy.deepcopy(part[name])
        case _:
            pass


def _words_in(part: Any) -> list[str]:
    """Return the short texts of a document, keys too: names, types and expressions."""
    match part:
        case str():
            return [part] if len(part) < _LONGEST_WORD else []
        case list():
            return [word for each in part for word in _words_in(each)]
        case dict():
            return [*map(str, part), *(word for each in part.values() for word in _words_in(each))]
        case _:
            return []


@st.composite
def nudged_words(draw: st.DrawFn, seed: bytes) -> bytes:
    """Return `seed` of the same length, with some of its 64-bit words changed."""
    data = bytearray(seed)
    for _ in range(draw(_few)):
        place = 8 * int(draw(_places) * (len(data) // 8))
        word = int.from_bytes(data[place : place + 8], "little")
        near = (word + 1, word - 1, word * 2, word // 2, 0, 1)
        word = draw(st.sampled_from((*near, *near, *_NASTY_NUMBERS))) & (2**64 - 1)
        data[place : place + 8] = word.to_bytes(8, "little")
    return bytes(data)


def _somewhere(draw: st.DrawFn, document: Any) -> tuple[Any, Any]:
    """Choose a part of the document: its holder and its key there; (None, None) for the whole."""
    holder, key, part = None, None, document
    while isinstance(part, (dict, list)) and part and (holder is None or draw(st.integers(0, 5))):
        holder = part
        key = draw(st.sampled_from(list(part) if isinstance(part, dict) else range(len(part))))
        part = part[key]
    return holder, key
