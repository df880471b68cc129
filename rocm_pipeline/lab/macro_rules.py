"""T0: what a candidate's macros may be called, and what its `#if` may ask.

A macro changes every word behind it: those of our header's macros, of attributes, of the exports
that the emulator appends. A question may be answered otherwise where the kernel is used.
"""

import re
from collections.abc import Iterator, Sequence

from rocm_pipeline.lab.header_macros import header_words, macros_of_both_sides, words_of_macros
from rocm_pipeline.lab.source_tokens import Token

Line = tuple[Token, ...]

ATTRIBUTES = frozenset(
    {
        *("aligned", "always_inline", "cold", "const", "deprecated", "ext_vector_type"),
        *("fallthrough", "flatten", "hot", "likely", "may_alias", "maybe_unused", "nodiscard"),
        *("noinline", "packed", "pure", "unlikely", "unused", "vector_size"),
    }
)
"""Attributes that change no meaning."""
KEYWORDS = frozenset(
    {
        *("alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool"),
        *("break", "case", "catch", "char", "char16_t", "char32_t", "char8_t", "class"),
        *("co_await", "co_return", "co_yield", "compl", "concept", "const", "const_cast"),
        *("consteval", "constexpr", "constinit", "continue", "decltype", "default", "delete"),
        *("do", "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern"),
        *("false", "float", "for", "friend", "goto", "if", "inline", "int", "long", "mutable"),
        *("namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq"),
        *("private", "protected", "public", "register", "reinterpret_cast", "requires", "return"),
        *("short", "signed", "sizeof", "static", "static_assert", "static_cast", "struct"),
        *("switch", "template", "this", "thread_local", "throw", "true", "try", "typedef"),
        *("typeid", "typename", "union", "unsigned", "using", "virtual", "void", "volatile"),
        *("wchar_t", "while", "xor", "xor_eq", "final", "override"),
    }
)
# What our header's macros may expand to at any time, beside what they do today.
_HEADERS_OWN = frozenset(
    {
        *("constant", "convergent", "device", "get", "global", "host", "nodebug", "property"),
        *("section", "shared", "used", "weak", "amdgpu_flat_work_group_size"),
        *("amdgpu_waves_per_eu", "enable_if"),
    }
)
_RESERVED = re.compile(r"__\w+|_[A-Z]\w*|HIP_\w*")
# Macros that other headers define where a kernel is used: C's and C++'s, the system's, HIP's.
_ELSEWHERE = re.compile(
    r"NULL|NDEBUG|EOF|assert|errno|RAND_MAX|BUFSIZ|EXIT_(SUCCESS|FAILURE)|CLOCKS_PER_SEC"
    r"|linux|unix|i386|std(in|out|err)|offsetof|va_(arg|copy|end|start)|signbit|fpclassify"
    r"|(S|U)?(CHAR|SHRT)_(BIT|MAX|MIN)|U?L?LONG_(BIT|MAX|MIN)|WCHAR_(MAX|MIN)|U?INT_(MAX|MIN)"
    r"|U?INT(_LEAST|_FAST)?(\d+|PTR|MAX)_(C|MAX|MIN)|SIZE_MAX|PTRDIFF_(MAX|MIN)|HUGE_VALL?"
    r"|(FLT|DBL|LDBL|DECIMAL)_((DECIMAL_|MANT_)?DIG|EPSILON|EVAL_METHOD|RADIX|ROUNDS|M(AX|IN)\w*)"
    r"|FP_(NAN|INFINITE|ZERO|SUBNORMAL|NORMAL|ILOGB\w+)|M_(E|LN\w+|LOG\w+|PI\w*|SQRT\w+|\d\w+)"
    r"|is(nan|inf|finite|normal|greater|less|unordered)\w*"
    r"|(?i:(hip|cuda|rocm|gfx|amdgpu|amdgcn|nvcc)\w*)"
)
_NO_NAMES = frozenset({"defined", "true", "false", "and", "or", "not"})


def not_to_define(name: str) -> bool:
    """Whether a macro of this name could change what our header or the language says."""
    return bool(
        _RESERVED.fullmatch(name)
        or name in KEYWORDS
        or name in ATTRIBUTES
        or name in _HEADERS_OWN
        or name in words_of_macros()
    )


def definitions(lines: Sequence[Line]) -> Iterator[tuple[str, int]]:
    """Yield the macros that are not the candidate's to define or to take away."""
    for line in lines:
        if line[0].text not in ("define", "undef") or len(line) < 2:
            continue
        name = line[1]
        if name.text.startswith("HIP_"):
            yield f"'{name.text}' is not yours to define: it is the header's", name.line
        elif not_to_define(name.text):
            yield (
                f"'{name.text}' is not yours to define: the header's macros use it, or the "
                "language, or attributes",
                name.line,
            )


def before_the_header(lines: Sequence[Line]) -> Iterator[tuple[str, int]]:
    """Yield the macros that would change the header, because they stand before it."""
    for line in lines:
        if line[0].text == "include":
            return
        if line[0].text in ("define", "undef") and len(line) > 1 and line[1].text in header_words():
            name = line[1]
            yield (
                f"'{name.text}': the header uses this word; define it behind the header",
                name.line,
            )


def questions(lines: Sequence[Line]) -> Iterator[tuple[str, int]]:
    """Yield what `#if` and its relatives ask that only the surroundings of a kernel can answer."""
    own = {line[1].text for line in lines if line[0].text == "define" and len(line) > 1}
    known = macros_of_both_sides()
    for line in lines:
        for name in _asked(line):
            if name.text in known or name.text in _NO_NAMES:
                continue
            if name.text not in own or _ELSEWHERE.fullmatch(name.text):
                yield (
                    f"'{name.text}': #{line[0].text} may ask for macros that this source defines "
                    "and for those of the header; others may be defined where the kernel is used",
                    name.line,
                )


def _asked(line: Line) -> list[Token]:
    directive = line[0].text
    if directive in ("ifdef", "ifndef", "elifdef", "elifndef"):
        return [token for token in line[1:2] if token.kind == "word"]
    if directive in ("if", "elif"):
        return [token for token in line[1:] if token.kind == "word"]
    return []
