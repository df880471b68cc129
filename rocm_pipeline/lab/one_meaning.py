"""T0: a source must mean the same to the emulator's compiler and to the GPU's.

Code that can tell the two apart is right where it is judged and anything where it is used. So a
candidate may only use what both sides have, as both sides have it: names of our header, builtins
that compute the same, attributes that change no meaning, and macros of its own.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise

from rocm_pipeline.lab.header_macros import has_parameters
from rocm_pipeline.lab.macro_rules import ATTRIBUTES, before_the_header, definitions, questions
from rocm_pipeline.lab.source_tokens import Token, directives

Breach = tuple[str, int]
"""What is wrong, and on which line."""

_RESERVED = re.compile(r"__\w+|_[A-Z]\w*")
_LANGUAGE = re.compile(
    r"__attribute|__extension__|__func__|__const|__const__|__inline|__inline__|__restrict|"
    r"__restrict__|__signed__|__typeof|__typeof__|__alignof|__alignof__|__volatile__|"
    r"_Float16|_Static_assert|__ATOMIC_ACQ_REL"  # the header names the other orders
)
_BUILTIN = re.compile(
    r"__builtin_("
    r"(fma|fabs|fmin|fmax|sqrt|floor|ceil|trunc|rint|round|copysign|exp|exp2|log|log2|log10|ldexp)f?"
    r"|(is(nan|inf|finite)|signbit|inff?|nanf?|huge_valf?)"
    r"|(clz|ctz|ffs|popcount|parity)(l|ll)?|bitreverse(8|16|32|64)|bswap(16|32|64)|abs"
    r"|expect|assume|assume_aligned|unreachable|trap|bit_cast|memcpy|memset|memmove"
    r"|nontemporal_(load|store)|convertvector|shufflevector|(elementwise|reduce)_\w+"
    r"|(add|sub|mul)_overflow|offsetof)"
)
_QUESTIONS = frozenset(
    {
        *("decltype", "typeof", "__typeof", "__typeof__", "alignof", "__alignof", "__alignof__"),
        *("noexcept", "requires", "_Alignof"),
    }
)
"""Words whose operand is not evaluated."""
_LONGEST_TYPE = 16
"""Tokens of the operand of a `sizeof`."""
_LONGEST_ATTRIBUTES = 100
"""Tokens of one list of attributes."""
_NAMES_A_MACRO = ("define", "undef", "ifdef", "ifndef", "elifdef", "elifndef")
_DIFFERENT = re.compile(r"FP_FAST_FMA[FL]?|__VA_OPT__")


def breaches(stream: tuple[Token, ...]) -> Iterator[Breach]:
    """Yield what could mean one thing to the emulator and another to the GPU."""
    lines = tuple(directives(stream))
    yield from _names(stream)
    yield from _asked_builtins(stream)
    yield from _host_functions(stream)
    yield from _attributes(stream)
    yield from definitions(lines)
    yield from questions(lines)
    yield from _long_macros(lines)
    yield from _macro_uses(stream, lines)
    yield from _text_of_code(stream)
    yield from _long_doubles(stream)
    yield from _before_the_header(stream)
    yield from before_the_header(lines)


@cache
def header_names() -> frozenset[str]:
    """Every reserved name in our header: what HIP offers, among the compiler's own."""
    folder = files("rocm_pipeline.lab") / "include" / "hip" / "detail"
    texts = [each.read_text() for each in folder.iterdir() if each.is_file()]
    for name in ("qualifiers.h", "synchronisation.h"):
        texts.append((folder / "device" / name).read_text())
    return frozenset(re.findall(r"\b__\w+", "\n".join(texts)))


@cache
def amdgpu_builtins() -> frozenset[str]:
    """The AMDGPU compiler's builtins that the emulator has, too: macros of its side alone."""
    folder = files("rocm_pipeline.lab") / "include" / "hip" / "detail" / "emulator"
    texts = [each.read_text() for each in folder.iterdir() if each.name.startswith("builtins_")]
    return frozenset(re.findall(r"^#define (__\w+)", "\n".join(texts), re.MULTILINE))


def _names(stream: Sequence[Token]) -> Iterator[Breach]:
    for token in stream:
        if token.kind != "word":
            continue
        if _DIFFERENT.fullmatch(token.text):
            yield f"'{token.text}': it differs between the compilers", token.line
        elif token.text.startswith("__builtin_"):
            if not _BUILTIN.fullmatch(token.text) and token.text not in amdgpu_builtins():
                yield (
                    f"'{token.text}': no builtin that both sides have; use HIP's names",
                    token.line,
                )
        elif _RESERVED.fullmatch(token.text) and not _is_known(token.text):
            yield (
                f"'{token.text}': names like that belong to the compiler, and this is none of the "
                "HIP subset; rename it",
                token.line,
            )


def _asked_builtins(stream: tuple[Token, ...]) -> Iterator[Breach]:
    """Whether a call of a builtin is well formed differs between the sides: nobody may ask."""
    used = next((token for token in stream if token.text in amdgpu_builtins()), None)
    if used is None:
        return
    for line in directives(stream):
        if any(token.text == "sizeof" for token in line):
            yield f"'{used.text}': sizeof in a macro could ask about it", line[0].line
    for index, token in enumerate(stream):
        asks = token.text in _QUESTIONS or (
            token.text == "sizeof" and not _is_of_a_type(stream[index + 1 : index + _LONGEST_TYPE])
        )
        if asks:
            yield (
                f"'{used.text}': a source that uses builtins of the GPU must not ask by "
                f"'{token.text}' what an expression is",
                token.line,
            )


def _is_of_a_type(rest: Sequence[Token]) -> bool:
    """Whether `sizeof` is followed by words in parentheses, which call nothing."""
    if not rest or rest[0].text != "(":
        return False
    for token in rest[1:]:
        if token.text == ")":
            return True
        if token.kind != "word" and token.text not in ("*", "<", ">", ",", "[", "]"):
            return False
        if token.text in amdgpu_builtins():
            return False
    return False


def _is_known(name: str) -> bool:
    inner = name.removeprefix("__").removesuffix("__")
    known = name in header_names() or name in amdgpu_builtins() or inner in ATTRIBUTES
    return known or bool(_LANGUAGE.fullmatch(name))


def _host_functions(stream: Sequence[Token]) -> Iterator[Breach]:
    """The GPU's compiler tells `__host__` overloads from `__device__` ones; the emulator cannot."""
    for index, token in enumerate(stream):
        if token.text == "__host__" and token.kind == "word":
            beside = (stream[i].text for i in (index - 1, index + 1) if 0 <= i < len(stream))
            if "__device__" not in beside:
                yield (
                    "'__host__': only together with __device__, as __host__ __device__",
                    token.line,
                )


def _attributes(stream: Sequence[Token]) -> Iterator[Breach]:
    for index, token in enumerate(stream):
        if token.text in ("__attribute__", "__attribute"):
            depth_of_names = 2
        elif token.text == "[[":
            depth_of_names = 0
        else:
            continue
        named = _attribute_words(stream[index + 1 : index + _LONGEST_ATTRIBUTES], depth_of_names)
        if named is None:
            yield "a list of attributes that is too long, or never ends", token.line
            return
        for word in named:
            plain = word.text.removeprefix("__").removesuffix("__")
            if plain not in ATTRIBUTES:
                yield f"attribute '{plain}' is not accepted", word.line


def _attribute_words(rest: Sequence[Token], depth_of_names: int) -> list[Token] | None:
    """Return the attributes' names without namespaces and arguments; None without an end."""
    names: list[Token] = []
    depth = 0
    for token, after in pairwise(rest):
        if token.text == "(":
            depth += 1
        elif token.text == ")":
            depth -= 1
            if depth <= 0 < depth_of_names:
                return names
        elif token.text in ("]", ";", "{") and depth == 0:
            return names
        elif token.kind == "word" and depth == depth_of_names and after.text != ":":
            names.append(token)
    return None


def _long_macros(lines: Sequence[tuple[Token, ...]]) -> Iterator[Breach]:
    for line in lines:
        if line[0].text not in ("define", "undef") or len(line) < 2:
            continue
        if "long" in (line[-1].text, line[2].text if len(line) > 2 else ""):
            yield "a macro that begins or ends with 'long' could make long double", line[1].line


def _macro_uses(stream: Sequence[Token], lines: Sequence[tuple[Token, ...]]) -> Iterator[Breach]:
    """A macro that is not called where it stands could ask whether a qualifier is empty."""
    with_parameters = {
        line[1].text for line in lines if line[0].text == "define" and has_parameters(line)
    }
    directive = ""
    for index, token in enumerate(stream):
        if token.first:
            directive = _directive_at(stream, index)
        if token.kind != "word" or token.text not in with_parameters:
            continue
        before = [each.text for each in stream[max(0, index - 2) : index]]
        follows = stream[index + 1].text if index + 1 < len(stream) else ""
        if follows != "(" and not _is_asked_for(directive, before):
            yield (
                f"'{token.text}': a macro with parameters must be called where it stands",
                token.line,
            )


def _directive_at(stream: Sequence[Token], index: int) -> str:
    """Return the name of the directive that the first token of a line begins; "" for none."""
    is_directive = stream[index].text == "#" and index + 1 < len(stream)
    return stream[index + 1].text if is_directive else ""


def _is_asked_for(directive: str, before: list[str]) -> bool:
    """Whether the directive asks for the macro behind these two tokens, or defines it."""
    if directive in ("if", "elif"):
        return before[-1] == "defined" or before == ["defined", "("]
    return directive in _NAMES_A_MACRO and before == ["#", directive]


def _text_of_code(stream: Sequence[Token]) -> Iterator[Breach]:
    for token in stream:
        if token.kind != "symbol":
            continue
        if token.text == "#" and not token.first:
            yield "# makes text of code, which differs between the compilers", token.line
        elif token.text == "\\":
            yield "backslash outside a literal: write the name itself", token.line


def _long_doubles(stream: Sequence[Token]) -> Iterator[Breach]:
    words = [token for token in stream if token.text != ")"]
    for first, second in pairwise(words):
        if {first.text, second.text} == {"long", "double"}:
            yield "long double differs between the GPU and the CPU: use double", second.line
    for token in stream:
        if token.kind == "number" and _is_long_double(token.text):
            yield f"'{token.text}' is a long double, which differs: use double", token.line


def _is_long_double(number: str) -> bool:
    text = number.lower()
    exponent = "p" if text.startswith("0x") else "e"
    return text.endswith("l") and ("." in text or exponent in text)


def _before_the_header(stream: Sequence[Token]) -> Iterator[Breach]:
    """What stands before the header is compiled by other rules: there, functions are the host's."""
    for index, token in enumerate(stream):
        if not token.first:
            continue
        directive = _directive_at(stream, index)
        if directive == "include":
            return
        if directive not in ("define", "undef", "pragma"):
            break
    if any(token.text == "include" for token in stream):
        yield "code before the header: begin with #include <hip/hip_runtime.h>", stream[0].line
