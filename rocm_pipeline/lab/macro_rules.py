"""T0: what a candidate's macros may be called, and what its `#if` may ask.

A macro changes every word behind it: those of our header's macros, of attributes, of the exports
that the emulator appends. A question may be answered otherwise where the kernel is used.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from rocm_pipeline.lab.header_macros import (
    header_words,
    macros_of_both_sides,
    parameters_of,
    words_of_macros,
)
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
_RESERVED = re.compile(r"__\w+|_[A-Z]\w*|HIP_\w*")
# Macros that other headers define where a kernel is used: C's and C++'s, the system's, HIP's.
_ELSEWHERE = re.compile(
    r"((S|U)?(CHAR|SHRT)|U?(INT|LONG|LLONG)|WCHAR|WINT|SIG_ATOMIC|SIZE|PTRDIFF)_(BIT|MAX|MIN|WIDTH)"
    r"|U?INT(_LEAST|_FAST)?(\d+|PTR|MAX)_(C|MAX|MIN|WIDTH)|(PRI|SCN)[dioxuX]\w+|FE_[A-Z]\w+"
    r"|(FLT|DBL|LDBL|DECIMAL)_((DECIMAL_|MANT_)?DIG|EPSILON|EVAL_METHOD|RADIX|ROUNDS|M(AX|IN)\w*"
    r"|TRUE_MIN|HAS_SUBNORM)|HUGE_VALL?|ATOMIC_(\w+_LOCK_FREE|(FLAG|VAR)_INIT)"
    r"|FP_(NAN|INFINITE|ZERO|SUBNORMAL|NORMAL|ILOGB\w+)|M_(E|LN\w+|LOG\w+|PI\w*|SQRT\w+|\d\w+)"
    r"|is(nan|inf|finite|normal|greater|less|unordered)\w*"
    r"|(?i:(hip|cuda|rocm|gfx|amdgpu|amdgcn|nvcc)\w*)"
)
_SINGLES_ELSEWHERE = frozenset(
    """
    BIG_ENDIAN BUFSIZ BYTE_ORDER CLOCKS_PER_SEC E2BIG EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT
    EAGAIN EALREADY EBADF EBADMSG EBUSY ECANCELED ECHILD ECONNABORTED ECONNREFUSED ECONNRESET
    EDEADLK EDESTADDRREQ EDOM EEXIST EFAULT EFBIG EHOSTUNREACH EIDRM EILSEQ EINPROGRESS EINTR
    EINVAL EIO EISCONN EISDIR ELOOP EMFILE EMLINK EMSGSIZE ENAMETOOLONG ENETDOWN ENETRESET
    ENETUNREACH ENFILE ENOBUFS ENODATA ENODEV ENOENT ENOEXEC ENOLCK ENOLINK ENOMEM ENOMSG
    ENOPROTOOPT ENOSPC ENOSR ENOSTR ENOSYS ENOTCONN ENOTDIR ENOTEMPTY ENOTRECOVERABLE ENOTSOCK
    ENOTSUP ENOTTY ENXIO EOF EOPNOTSUPP EOVERFLOW EOWNERDEAD EPERM EPIPE EPROTO EPROTONOSUPPORT
    EPROTOTYPE ERANGE EROFS ESPIPE ESRCH ETIME ETIMEDOUT ETXTBSY EWOULDBLOCK EXDEV EXIT_FAILURE
    EXIT_SUCCESS FILENAME_MAX FOPEN_MAX LC_ALL LC_COLLATE LC_CTYPE LC_MONETARY LC_NUMERIC LC_TIME
    LITTLE_ENDIAN L_tmpnam MATH_ERREXCEPT MATH_ERRNO MB_CUR_MAX MB_LEN_MAX NDEBUG NULL PATH_MAX
    RAND_MAX SEEK_CUR SEEK_END SEEK_SET SIGABRT SIGFPE SIGILL SIGINT SIGSEGV SIGTERM SIG_DFL
    SIG_ERR SIG_IGN TIME_UTC TMP_MAX WEOF assert errno fpclassify i386 linux math_errhandling
    offsetof setjmp signbit stderr stdin stdout unix va_arg va_copy va_end va_start
    """.split()  # noqa: SIM905
)
_ASK_FOR_ONE = ("ifdef", "ifndef", "elifdef", "elifndef")
_ASK = ("if", "elif")
_NO_NAMES = frozenset({"defined", "true", "false", "and", "or", "not"})


def not_to_define(name: str) -> bool:
    """Whether a macro of this name could change what our header or the language says."""
    return bool(
        _RESERVED.fullmatch(name)
        or name in KEYWORDS
        or name in ATTRIBUTES
        or name in words_of_macros()
    )


def definitions(lines: Sequence[Line]) -> Iterator[tuple[str, int]]:
    """Yield the macros that are not the candidate's to define or to take away."""
    for line in lines:
        if line[0].text not in ("define", "undef") or len(line) < 2:
            continue
        name = line[1]
        if not_to_define(name.text):
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
    own: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line[0].text == "define" and len(line) > 1:
            own[line[1].text].append(line)
    known = macros_of_both_sides() | _NO_NAMES
    reached: set[str] = set()
    for line in lines:
        directive = line[0].text
        if directive not in (*_ASK_FOR_ONE, *_ASK):
            continue
        asked = [token for token in line[1:] if token.kind == "word"]
        if directive in _ASK and not _only_asks_what_is_defined(line):
            asked += _stands_for(asked, own, reached)
        for token in asked:
            if token.text == "##":
                yield f"#{directive} must not use what ## builds", token.line
            elif token.text not in known and (token.text not in own or _is_elsewhere(token.text)):
                yield (
                    f"'{token.text}': #{directive} may ask for macros that this source defines "
                    "and for those of the header; others may be defined where the kernel is used",
                    token.line,
                )


def _is_elsewhere(name: str) -> bool:
    return name in _SINGLES_ELSEWHERE or _ELSEWHERE.fullmatch(name) is not None


def _only_asks_what_is_defined(line: Line) -> bool:
    """Whether each name stands behind `defined`, where it is not replaced."""
    pairs = pairwise(token for token in line if token.text != "(")
    return all(
        before.text == "defined"
        for before, token in pairs
        if token.kind == "word" and token.text not in _NO_NAMES
    )


def _stands_for(
    names: Sequence[Token], own: Mapping[str, Sequence[Line]], reached: set[str]
) -> list[Token]:
    """Return the words, and each `##`, of all macros that these names lead to.

    Macros in `reached` are left out, and what is looked at is added to it.
    """
    found: list[Token] = []
    waiting = [token.text for token in names]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        for line in own.get(name, ()):
            parameters = frozenset(parameters_of(line))
            for token in line[2:]:
                if token.text == "##" or (token.kind == "word" and token.text not in parameters):
                    found.append(token)
                    waiting.append(token.text)
    return found
