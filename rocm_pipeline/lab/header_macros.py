"""The macros of our own header: what they are called, and which words they expand to.

A candidate's code stands behind them, and the emulator's exports stand behind the candidate's: a
word that one of them expands to must keep its meaning.
"""

from functools import cache
from importlib.resources import files
from pathlib import Path

from rocm_pipeline.lab.source_tokens import Token, directives, tokens

_FOLDER = Path(str(files("rocm_pipeline.lab"))) / "include" / "hip" / "detail"
_SIDES = ("device", "emulator")


@cache
def header_words() -> frozenset[str]:
    """Every word of the code of our header, on either side."""
    return frozenset(
        token.text for stream in _streams() for token in stream if token.kind == "word"
    )


@cache
def words_of_macros() -> frozenset[str]:
    """Every word that a macro of the header, on either side, expands to."""
    return frozenset(
        word
        for stream in _streams()
        for line in _definitions(stream).values()
        for word in _replacement(line)
    )


@cache
def macros_of_both_sides() -> frozenset[str]:
    """The macros that a candidate finds defined, whichever compiler reads it."""
    common = {name for stream in _read(_FOLDER) for name in _definitions(stream)}
    device, emulator = (
        {name for stream in _read(_FOLDER / side) for name in _definitions(stream)}
        for side in _SIDES
    )
    return frozenset(common | (device & emulator))


@cache
def _streams() -> tuple[tuple[Token, ...], ...]:
    return tuple(
        stream for part in (_FOLDER, *(_FOLDER / side for side in _SIDES)) for stream in _read(part)
    )


def _read(folder: Path) -> list[tuple[Token, ...]]:
    return [tokens(each.read_text()) for each in sorted(folder.iterdir()) if each.is_file()]


def _definitions(stream: tuple[Token, ...]) -> dict[str, tuple[Token, ...]]:
    """The directives that define a macro which the same file does not take away again."""
    kept: dict[str, tuple[Token, ...]] = {}
    for line in directives(stream):
        if line[0].text == "define":
            kept[line[1].text] = line
        elif line[0].text == "undef":
            del kept[line[1].text]
    return kept


def _replacement(line: tuple[Token, ...]) -> set[str]:
    """The words of a macro's replacement that are not its parameters."""
    parameters = parameters_of(line)
    return {
        token.text for token in line[2:] if token.kind == "word" and token.text not in parameters
    }


def has_parameters(line: tuple[Token, ...]) -> bool:
    """Whether the macro that a directive defines is one that is called, perhaps with nothing."""
    return len(line) > 2 and line[2].text == "(" and not line[2].apart


def parameters_of(line: tuple[Token, ...]) -> tuple[str, ...]:
    """Return the parameters of the macro that a directive defines, `__VA_ARGS__` for dots."""
    if not has_parameters(line):
        return ()
    names: list[str] = []
    for token in line[3:]:
        if token.text == ")":
            break
        if token.kind == "word":
            names.append(token.text)
        elif token.text == "." and names[-1:] != ["__VA_ARGS__"]:
            names.append("__VA_ARGS__")
    return tuple(names)
