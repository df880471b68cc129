"""A compiler that crashed, in words that blame nobody without reason.

A crash says nothing about the kernel: what a GPU would do with it is not known. It is no pass
either. Clang's own text for it is a request to send a bug report and a list of its own frames, of
which the first that is not the crash handler's, and the place in the source if it names one, are
kept. Where the backend meets an instruction that another generation of GPUs has, it crashes too;
that one is the kernel's.
"""

import re
from collections.abc import Iterator

from rocm_pipeline.lab.builtin_generations import architectures_of, wrong_generation
from rocm_pipeline.lab.source_tokens import Token, tokens

_SIGNALS = {
    4: "an illegal instruction",
    5: "a trap",
    6: "abort",
    7: "a bus error",
    8: "a division by zero",
    11: "a memory fault, as of too deep a nesting",
}
_KILLED = "the compiler was killed by signal {}: most likely it took too much memory or time"
_SAID = re.compile(r"^(?:fatal error: error in backend|LLVM ERROR): (.*)$", re.MULTILINE)
_ASSERTION = re.compile(r"^\S+: .*Assertion `.*' failed\.$", re.MULTILINE)
_DUMP = re.compile(r"^(?:Stack dump:|PLEASE submit a bug report|PLEASE ATTACH)", re.MULTILINE)
_WORK = re.compile(r"^\d+\.\s+(.*)$", re.MULTILINE)
_FRAME = re.compile(r"^\s*#\d+ 0x[0-9a-fA-F]+ (.*)$", re.MULTILINE)
_HANDLER = re.compile(
    r"PrintStackTrace|RunSignalHandlers|SignalHandler|CleanupOnSignal|HandleExit|report_fatal_error"
    r"|__restore_rt|libc\.so|libpthread|\braise\b|\babort\b|gsignal|__assert_fail"
)
_INTRINSIC = re.compile(r"intrinsic %llvm\.(amdgcn\.[\w.]+)")
_PLACE = re.compile(r"\bkernel\.hip:(\d+):\d+\b")
_GO_ON = (
    "Write the part it was at in another way, or take parts away until it compiles; another "
    "compiler may take the kernel as it is."
)


def crash_words(returncode: int, said: str, source: str, architecture: str) -> str | None:
    """Return what a compiler's end means; None where it ended in order, with errors of its own.

    `returncode` is negative for a signal; `said` is its standard error, whole. The first line is
    written like a diagnostic of `kernel.hip` where the place is known.
    """
    if returncode < 0 and -returncode not in _SIGNALS:
        return "\n".join(filter(None, (_KILLED.format(-returncode), said.strip())))
    reason = _reason(returncode, said)
    if reason is None:
        return None
    builtin = _builtin(said, source)
    have = None if builtin is None else architectures_of(builtin.text)
    if builtin is not None and have is not None and architecture not in have:
        said_of_it = f"the compiler crashed on it ({reason})"
        return f"{_place(builtin.line)}{wrong_generation(builtin.text)}\n{said_of_it}"
    line = _line(said) if builtin is None else builtin.line
    words = f"the compiler crashed, which says nothing about the kernel: {reason}"
    return "\n".join([f"{_place(line)}{words}", *_details(said), _GO_ON])


def _reason(returncode: int, said: str) -> str | None:
    if found := _SAID.search(said):
        return f"error in its backend: {found[1]}"
    if found := _ASSERTION.search(said):
        return found[0]
    if returncode < 0:
        return f"signal {-returncode}, {_SIGNALS[-returncode]}"
    return "it printed its stack" if _DUMP.search(said) else None


def _place(line: int | None) -> str:
    return "" if line is None else f"kernel.hip:{line}:1: "


def _line(said: str) -> int | None:
    """The line of the candidate at which the compiler says it was."""
    place = _PLACE.search("\n".join(_WORK.findall(said)))
    return int(place[1]) if place else None


def _builtin(said: str, source: str) -> Token | None:
    """Where the source calls the intrinsic that could not be compiled; it may add `_w32`."""
    found = _INTRINSIC.search(said)
    if found is None:
        return None
    begin = f"__builtin_{found[1].strip('.').replace('.', '_')}"
    return next((token for token in tokens(source) if token.text.startswith(begin)), None)


def _details(said: str) -> Iterator[str]:
    work = _WORK.findall(said)
    if work:
        yield f"It was at: {work[-1]}"
    first = next((frame for frame in _FRAME.findall(said) if not _HANDLER.search(frame)), None)
    if first is not None:
        yield f"First frame: {first}"
