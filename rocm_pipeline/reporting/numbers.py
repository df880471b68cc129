"""Numbers in an agent's prose that nothing vouches for.

Every figure counts, however it is written: other widths and scripts, exponents, fractions, powers,
digits beside letters. These are no figures:

- names: a word that begins with a letter and that a source holds, an architecture (gfx90a), a data
  type (float16, f32, float4), a wave (wave64), a tier (T3), dimensions (2d, 3x3);
- placeholders, and the numbers of a list that counts up from 1;
- code, in a fence or a span, unless it is nothing but a figure or says a figure with a unit.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)

_FIGURE_TEXT = (
    r"(?:0[xX][0-9a-fA-F]+|0[bB][01]+"
    r"|(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:_\d+)*|\.\d+)(?:\.\d+)*"
    r"(?:[eE][+-]?\d{1,4})?(?:\^\d{1,3})?(?:\s?[/\u2044]\s?\d+)?)"
)
_FIGURE = re.compile(_FIGURE_TEXT)
_CLAIM = re.compile(
    rf"(?<![\w.]){_FIGURE_TEXT}[\s-]*"
    r"(?:%|\u2030|percent\b|[xX]\b|\u00d7(?!\d)|times\b|fold\b|[nµum]?s\b"
    r"|(?:nano|micro|milli)?seconds?\b|[KMGT]i?B/s|[KMGTP]?FLOP(?:S|/s|s)?\b)"
)
_CLAIM_IN_FRONT = re.compile(rf"(?<![\w.])[xX\u00d7]\s?(?P<figure>{_FIGURE_TEXT})")
_NUMBER_WORD = (
    r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh"
    r"|nine)teen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million)"
)
_CLAIM_IN_WORDS = re.compile(
    rf"\b(?:{_NUMBER_WORD}(?:[\s-]{_NUMBER_WORD}){{0,4}}(?:[\s-]?fold\b|\s(?:percent|times)"
    r"(?=\s(?:faster|slower|quicker|less|more|fewer|better|higher|lower|as|the)\b))"
    r"|twice\sas\s(?:fast|quick)|half\sthe\stime)",
    re.IGNORECASE,
)

_DIMENSIONS = re.compile(r"(?<![\w.])\d{1,4}(?:[x\u00d7]\d{1,4})+(?!\w)")
_WORD = re.compile(r"\w+(?:\.\w+)*")
_NAME = re.compile(
    r"gfx\d{2,3}[0-9a-f]|(?:wave|wavefront)(?:32|64)|t[0-5]|[1-3]d|conv[1-3]d|log(?:2|10|1p)|exp2"
    r"|(?:u?int|[iu]|bfloat|bf|float|fp?|tf)(?:4|8|16|19|32|64)(?:_t)?|(?:float|half|int)[248]"
)
_SOURCE_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w)")

_LIST_ITEM = re.compile(r"^[ \t]*([0-9]+)[.)](?=\s)", re.MULTILINE)
_SUPERSCRIPTS = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+")
_FRACTIONS = re.compile("(?=[\u00bc-\u00be\u2150-\u215f\u2189])")
_POWER_OF_A_LETTER = re.compile(r"(?<=[A-Za-z)])\^\d(?!\d)")
_EMPHASIS = re.compile(r"(?<=\w)[*~]+(?=\w)")
_ESCAPED_MARK = re.compile(r"\\(?=[!-/:-@\[-`{-~])")


@dataclass(frozen=True)
class _Known:
    """What the sources hold: words as they stand, values, figures with a unit."""

    words: frozenset[str]
    values: frozenset[float]
    claims: frozenset[str]

    def holds_figure(self, figure: str) -> bool:
        return figure.casefold() in self.words or _value(figure) in self.values

    def holds_name(self, word: str) -> bool:
        folded = word.casefold()
        is_held = not folded[0].isdecimal() and folded in self.words
        return is_held or _NAME.fullmatch(folded) is not None


def numbers_without_source(text: str, *sources: str) -> list[str]:
    """Return the numbers in `text` that none of `sources` holds, as this module's text says.

    A number with a unit of speed (times, %, µs) must be in the sources with its unit, also where it
    stands in a line of code: running an example proves nothing of its comments, and other code is
    not run at all.
    """
    known = _known(sources)
    text = PLACEHOLDER.sub(" ", text)
    prose = _as_shown(_without_list_numbers(CODE.sub(_prose_of_code, text)))
    # a line of code that ends in a number and one that begins with `x` claim nothing together
    code = [_folded(line) for part in CODE.findall(text) for line in part.splitlines()]
    missing = [
        claim
        for part in (prose, *code)
        for claim in _claims(part)
        if _flat(claim) not in known.claims
    ]
    missing += [
        found.group()
        for pattern in (_CLAIM_IN_FRONT, _CLAIM_IN_WORDS)
        for found in pattern.finditer(prose)
        if _flat(found.group()) not in known.claims
    ]
    rest = _DIMENSIONS.sub(" ", prose)
    for claim in (_CLAIM, _CLAIM_IN_FRONT):
        rest = claim.sub(" ", rest)
    rest = _WORD.sub(lambda m: " " if known.holds_name(m.group()) else m.group(), rest)
    missing += [m.group() for m in _FIGURE.finditer(rest) if not known.holds_figure(m.group())]
    return list(dict.fromkeys(missing))


def _known(sources: tuple[str, ...]) -> _Known:
    text = "\n".join(map(_folded, sources))
    return _Known(
        words=frozenset(_WORD.findall(text.casefold())),
        values=frozenset(float(found) for found in _SOURCE_NUMBER.findall(text)),
        claims=frozenset(map(_flat, _claims(text))),
    )


def _claims(text: str) -> Iterator[str]:
    return (found.group() for found in _CLAIM.finditer(text))


def _flat(claim: str) -> str:
    """Return a claim in one form; `x 3` is `3x`."""
    front = _CLAIM_IN_FRONT.fullmatch(claim)
    text = f"{front['figure']}x" if front else claim
    return "".join(text.split()).replace("X", "x")


def _value(figure: str) -> float | None:
    """Return what a figure says; None where that is no one number (1.5.7)."""
    text = "".join(figure.split()).replace(",", "").replace("_", "")
    with suppress(ValueError, OverflowError, ZeroDivisionError):
        if text[:2].lower() in ("0x", "0b"):
            return float(int(text, 0))
        whole, *divisor = re.split("[/\u2044]", text)
        base, *power = whole.split("^")
        value = float(base) ** (int(power[0]) if power else 1)
        return value / float(divisor[0]) if divisor else value
    return None


def _prose_of_code(match: re.Match[str]) -> str:
    """Return what of a fence or span is prose: all of it where nothing but figures is in it."""
    inside = match.group().strip("`")
    is_figure = not any(char.isalpha() for char in _FIGURE.sub("", _folded(inside)))
    return inside if is_figure else " "


def _without_list_numbers(text: str) -> str:
    """Take away the numbers that count up; a list that begins with another is a sentence's end."""
    last = 0
    parts: list[str] = []
    place = 0
    for item in _LIST_ITEM.finditer(text):
        number = int(item[1][:6])
        if number not in (1, last + 1):
            continue
        last = number
        parts.append(text[place : item.start()])
        place = item.end()
    return "".join((*parts, text[place:]))


def _as_shown(prose: str) -> str:
    """Return Markdown as a reader sees its figures: entities, escapes and emphasis resolved."""
    folded = _folded(html.unescape(_ESCAPED_MARK.sub("", prose)))
    return _POWER_OF_A_LETTER.sub("", _EMPHASIS.sub("", folded))


def _folded(text: str) -> str:
    """Return `text` with ASCII digits, nothing invisible, `10^2` and `1\u20442` for characters."""
    if text.isascii():
        return text
    text = _SUPERSCRIPTS.sub(lambda m: f"^{m.group()}", _FRACTIONS.sub(" ", text))
    text = unicodedata.normalize("NFKC", text).replace("\u03bc", "\u00b5")
    shown = (c for c in text if unicodedata.category(c) not in ("Cf", "Mn", "Me"))
    return "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in shown)
