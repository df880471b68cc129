"""T0: `##` may only build the plan's kernel names: elsewhere it could spell any forbidden word.

The rules about words read the source as it is written. So whatever is pasted must begin with a
kernel's name, and no word that has a meaning of its own may begin like that.
"""

import re
from collections.abc import Iterator

from rocm_pipeline.lab.header_macros import has_parameters, parameters_of
from rocm_pipeline.lab.macro_rules import ATTRIBUTES, KEYWORDS
from rocm_pipeline.lab.source_tokens import Token, directives

_SHORTEST = 4
"""Letters of a kernel's name that a pasted word must begin with."""
_LONGEST_CALL = 50
"""Tokens of a call that are looked at."""
_SINGLE_WORDS = re.compile(r"\((w(,w)*)?\)")
_RESERVED_BEGINNINGS = ("_", "hip", "rocm")
_PLACED = ("alias", "allocate", "constructor", "destructor", "ifunc", "init_priority", "section")
_SPECIAL = KEYWORDS | ATTRIBUTES | {*_PLACED, "main", "weakref", "FP_FAST_FMA"}
_ONLY_KERNELS = (
    "## may only build a kernel name of the launch plan, like name_##type; use a template"
)
_NAMES_A_MACRO = ("define", "undef", "ifdef", "ifndef", "elifdef", "elifndef")


def pasting(stream: tuple[Token, ...], kernels: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Yield each `##` that could spell anything but a kernel's name, and calls that make it so."""
    heads: set[str] = set()
    for token, head in pastes(stream):
        if _begins_a_kernel(head, kernels):
            heads.add(head)
        else:
            yield _ONLY_KERNELS, token.line
    chained: set[str] = set()
    for line in directives(stream):
        if line[0].text != "define":
            continue
        if has_parameters(line) and line[1].text.startswith(tuple(heads)):
            yield f"'{line[1].text}': ## could build this call of a macro; rename it", line[1].line
        parameters = frozenset(parameters_of(line))
        for token, head in pastes(line):
            if head in parameters:
                yield _ONLY_KERNELS, token.line
        inside = {
            token.text
            for before, token, after in zip(line, line[1:], line[2:], strict=False)
            if before.text == after.text == "##"
        }
        if inside.isdisjoint(parameters):
            continue
        if "__VA_ARGS__" in parameters:  # a comma among the arguments would end the word
            yield _ONLY_KERNELS, line[1].line
        else:
            chained.add(line[1].text)
    yield from _calls(stream, chained)


def pastes(stream: tuple[Token, ...]) -> Iterator[tuple[Token, str]]:
    """Yield each `##` with the first operand of its chain."""
    head = ""
    for index, token in enumerate(stream):
        if token.text == "##":
            continues = index >= 2 and stream[index - 2].text == "##"
            if not continues:
                head = stream[index - 1].text if index else ""
            yield token, head


def _begins_a_kernel(head: str, kernels: tuple[str, ...]) -> bool:
    return (
        len(head) >= _SHORTEST
        and any(name.startswith(head) for name in kernels)
        and not head.lower().startswith(_RESERVED_BEGINNINGS)
        and not any(word.startswith(head) for word in _SPECIAL)
    )


def _calls(stream: tuple[Token, ...], chained: set[str]) -> Iterator[tuple[str, int]]:
    """An argument of several words, pasted in the middle, would begin another word with its last.

    Only calls outside of macros are accepted: an argument there is what is written.
    """
    begin = ""
    for index, token in enumerate(stream):
        if token.first:
            begin = token.text
        if token.text not in chained:
            continue
        if begin == "#" and stream[index - 2].first and stream[index - 1].text in _NAMES_A_MACRO:
            continue
        if begin == "#" or not _of_single_words(stream, index + 1):
            yield (
                f"'{token.text}' pastes its arguments: call it outside of macros, each argument "
                "one word",
                token.line,
            )


def _of_single_words(stream: tuple[Token, ...], begin: int) -> bool:
    """Whether `( word , word )` stands at `begin`, with any number of words."""
    shape = "".join(
        "w" if token.kind in ("word", "number") else token.text
        for token in stream[begin : begin + _LONGEST_CALL]
    )
    return _SINGLE_WORDS.match(shape) is not None
