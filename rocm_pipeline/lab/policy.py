"""T0: a candidate is device code and nothing else.

The sandbox keeps agent-written code away from the machine; these rules keep it away from the
harness: no host code, no assembly that the emulator cannot run, nothing that could behave
differently where it is judged and where it is used.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from itertools import chain, islice, pairwise

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.lab.one_meaning import breaches
from rocm_pipeline.lab.pasting import pastes, pasting
from rocm_pipeline.lab.source_tokens import Token, directives, tokens
from rocm_pipeline.targets.subject import Subject

MAX_SOURCE_BYTES = 200_000
HEADERS = (
    *("hip/hip_runtime.h", "hip/hip_fp16.h", "hip/hip_bf16.h", "hip/hip_bfloat16.h"),
    *("hip/hip_fp8.h", "hip/hip_cooperative_groups.h"),
)

_DIRECTIVES = {
    *("include", "define", "undef", "error", "warning", "pragma"),
    *("if", "ifdef", "ifndef", "elif", "elifdef", "elifndef", "else", "endif"),
}
_PRAGMAS = {"unroll", "nounroll", "once", "clang loop", "clang fp"}
_CONTRACTION = {"contract", "reassociate", "on", "off", "fast"}
"""What `#pragma clang fp` may set; the type in which it computes would be another on each side."""
_TRIGRAPH = re.compile(r"\?\?[=/'()!<>-]")
_LONGEST_DECLARATION = 64
"""Tokens of a declaration that are looked at, the last ones before a kernel's name."""
_MOST_FINDINGS = 50

# Names of that form which HIP or the language gives a meaning; all others are compiler macros.
_OWN_NAMES = (
    r"__(global|device|host|shared|constant|forceinline|noinline|inline|restrict|volatile|const"
    r"|align|attribute|launch_bounds|typeof|alignof|extension|signed|func|VA_ARGS|VA_OPT|AMDGCN_WAVEFRONT_SIZE"
    r"|aligned|always_inline|packed|unused|vector_size|ext_vector_type|may_alias)__"
    r"|__(FLT|DBL|FLT16|INT)_(MAX|MIN|EPSILON)__"
)
_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), message)
    for pattern, message in (
        (r"asm|__asm|__asm__", "inline assembly: write it in HIP"),
        (r"main", "main(): the harness owns the host code"),
        (
            r"hip(?!ThreadIdx_|BlockIdx_|BlockDim_|GridDim_)[A-Z]\w*",
            "host call: the harness allocates, launches and times; write device code only",
        ),
        (
            r"(__)?(constructor|destructor|init_priority|ifunc|weakref|section|alias|allocate)(__)?",
            "code or data placed for the loader has no use in a kernel",
        ),
        (r"__declspec|_Pragma", "not part of the HIP subset that is accepted"),
        (
            r"__has_\w+|__is_identifier|__is_target_\w+",
            "the code must be the same wherever it is compiled",
        ),
        (
            rf"(?!({_OWN_NAMES})$)__\w+__|_(LP64|GNU_SOURCE|REENTRANT|OPENMP)|__CUDA\w*|__HIP(?!_(MEMORY_SCOPE_|NOSAT|SATFINITE|E4M3|E5M2))\w*|__AMDGCN(?!_WAVE)\w*",
            "the code must not ask where it is compiled: the checks and the GPU see the same; "
            "use warpSize and __launch_bounds__ instead",
        ),
        (
            r"__builtin_(ia32_\w+|return_address|frame_address|setjmp|longjmp|unwind\w*|eh_\w+)",
            "reaches behind the kernel",
        ),
        (
            r"(hip_(detail|emulator|lds)|HIP_(DETAIL|EMULATOR))\w*|(?i:rocm_pipeline)\w*"
            r"|__(tsan|asan|ubsan|sanitizer)_\w+",
            "a name of the harness",
        ),
    )
)


def check_source(candidate: Candidate, target: Subject) -> tuple[Finding, ...]:
    """Return the rules that the candidate's source breaks, with their lines; at most 50 findings.

    The launch plan must have passed `plan_check`.
    """
    source = candidate.source
    size = len(source.encode("utf-8", "surrogatepass"))
    if size > MAX_SOURCE_BYTES:
        return (_finding(f"{size} bytes of source; at most {MAX_SOURCE_BYTES} are read"),)
    names = target.kernel_names(candidate.launch_plan)
    stream = tokens(source)
    found = chain(
        _language(stream),
        _characters(source),
        _literals(stream),
        _directives(stream),
        _words(stream),
        (_finding(message, line) for message, line in pasting(stream, names)),
        (_finding(message, line) for message, line in breaches(stream)),
        _kernels(stream, names),
    )
    return tuple(dict.fromkeys(islice(found, _MOST_FINDINGS)))


def missing_kernels(source: str, kernels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the kernels whose names nowhere occur in `source`, nor can be pasted there."""
    return _missing(tokens(source), kernels)


def _missing(stream: tuple[Token, ...], kernels: tuple[str, ...]) -> tuple[str, ...]:
    words = {token.text for token in stream if token.kind == "word"}
    built_from = {head for _, head in pastes(stream)}
    return tuple(
        name
        for name in kernels
        if name not in words and not any(name.startswith(head) for head in built_from)
    )


def _finding(message: str, line: int | None = None, kernel: str | None = None) -> Finding:
    return Finding(status=Status.POLICY_VIOLATION, message=message, line=line, kernel=kernel)


def _language(stream: tuple[Token, ...]) -> Iterator[Finding]:
    """Triton and PyTorch code, which small models send under the kernel's name."""
    words = ("import", "from", "def")  # in HIP names like others, which no word follows
    found = (t for t, after in pairwise(stream) if t.text in words and after.kind == "word")
    python = next((t for t in found if t.first), None)
    if python is not None:
        yield _finding(
            "this is Python: candidates are HIP device code and nothing else", python.line
        )


def _characters(source: str) -> Iterator[Finding]:
    for number, line in enumerate(source.replace("\r\n", "\n").split("\n"), start=1):
        for character in line:
            if character != "\t" and unicodedata.category(character).startswith("C"):
                yield _finding(f"control character U+{ord(character):04X} in the source", number)
                break
        if _TRIGRAPH.search(line):
            yield _finding("trigraph: write the character itself", number)


def _literals(stream: tuple[Token, ...]) -> Iterator[Finding]:
    for token in stream:
        if token.kind == "raw string":
            yield _finding("raw string literal: a kernel needs none", token.line)
        elif token.kind == "open literal":
            yield _finding("a quote or comment that is not closed", token.line)
        elif token.kind == "string" and ".incbin" in token.text:
            yield _finding(".incbin reads files", token.line)
        elif token.kind == "word" and not token.text.isascii():
            yield _finding(f"'{token.text}' is not an ASCII name", token.line)
        elif token.text == "<<<":
            yield _finding("kernel launch <<<...>>>: use the launch plan", token.line)


def _directives(stream: tuple[Token, ...]) -> Iterator[Finding]:
    for line in directives(stream):
        name = line[0].text
        if name not in _DIRECTIVES:
            yield _finding(f"#{name} is not accepted", line[0].line)
        elif name == "include":
            header = "".join(token.text for token in line[1:]).strip('<>"')
            if header not in HEADERS:
                allowed = ", ".join(HEADERS)
                yield _finding(f"#include {header}: only {allowed} exist", line[0].line)
        elif name == "pragma":
            words = [token.text for token in line[1:3]]
            if words[:1] and words[0] not in _PRAGMAS and " ".join(words) not in _PRAGMAS:
                yield _finding(f"#pragma {' '.join(words)} is not accepted", line[0].line)
            elif words == ["clang", "fp"]:
                yield from _contraction(line)


def _contraction(line: tuple[Token, ...]) -> Iterator[Finding]:
    for token in line[3:]:
        if token.kind == "word" and token.text not in _CONTRACTION:
            yield _finding(f"#pragma clang fp {token.text} is not accepted", token.line)


def _words(stream: tuple[Token, ...]) -> Iterator[Finding]:
    for token in stream:
        if token.kind != "word":
            continue
        for pattern, message in _WORDS:
            if pattern.fullmatch(token.text):
                yield _finding(f"'{token.text}': {message}", token.line)


def _kernels(stream: tuple[Token, ...], kernels: tuple[str, ...]) -> Iterator[Finding]:
    for name in kernels:
        if name.startswith("_"):
            yield _finding(f"kernel name '{name}' must not begin with an underscore", kernel=name)
    for name in _missing(stream, kernels):
        yield _finding(f"the launch plan starts '{name}', which the source lacks", kernel=name)
    for line in directives(stream):
        if line[0].text in ("define", "undef") and len(line) > 1 and line[1].text in kernels:
            name = line[1]
            yield _finding(f"'{name.text}' is a kernel and no macro", name.line, name.text)
    yield from _mangled_names(stream, frozenset(kernels))


def _mangled_names(stream: tuple[Token, ...], kernels: frozenset[str]) -> Iterator[Finding]:
    """A kernel's declaration must be `extern "C"`: the plan knows it by its plain name."""
    declaration: deque[str] = deque(maxlen=_LONGEST_DECLARATION)
    blocks: list[bool] = []  # for every open brace: does it belong to extern "C"?
    plain = 0
    for token in stream:
        is_kernel = token.text in kernels and "__global__" in declaration
        if is_kernel and '"C"' not in declaration and not plain:
            message = f"kernel '{token.text}' must be declared extern \"C\" __global__"
            yield _finding(message, token.line, token.text)
        if token.text == "{":
            blocks.append(list(declaration)[-2:] == ["extern", '"C"'])
            plain += blocks[-1]
        elif token.text == "}" and blocks:
            plain -= blocks.pop()
        if token.text in ("{", "}", ";"):
            declaration.clear()
        else:
            declaration.append(token.text)
