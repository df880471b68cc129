"""What every fuzzed parser must hold to: an answer or one clear line, soon and in little memory."""

import resource
import signal
import unicodedata
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeVar

from hypothesis import HealthCheck, settings

from tests.scale import scaled

CPU_SECONDS = 5.0
"""Processor time that one input may take; honest inputs take milliseconds."""
MEMORY_BYTES = 1 << 30
"""Address space that a whole fuzz test may add to the process."""
LONGEST_LINE = 4000

_Answer = TypeVar("_Answer")


def fuzzing() -> settings:
    """Return how much to try.

    To be asked while a test runs: pytest imports the conftest files of the folders on its command
    line, and this module with them, before it knows of `--long`.
    """
    return settings(
        max_examples=scaled(short=1000, long=10_000),
        deadline=None,  # wall time on a shared machine says nothing; `Oracle` limits processor time
        suppress_health_check=[*HealthCheck],  # pyright: ignore[reportArgumentType]
        database=None,
        print_blob=True,
    )


class HangError(AssertionError):
    """One input took more processor time than `CPU_SECONDS`."""


@dataclass
class Oracle:
    """Feeds one parser and counts. Every exception but `errors` is a crash and fails the test."""

    parser: str
    errors: tuple[type[Exception], ...] = ()
    examples: int = 0
    refused: int = 0

    def feed(self, call: Callable[[], _Answer]) -> _Answer | None:
        """Return what `call` returns, or None when it refused its input in one clear line."""
        self.examples += 1
        answer, refused = self._ask(call)
        self.refused += refused
        return answer

    def feed_on(self, call: Callable[[], _Answer]) -> _Answer | None:
        """Like `feed`, for a further step with an example that was counted before."""
        return self._ask(call)[0]

    def _ask(self, call: Callable[[], _Answer]) -> tuple[_Answer | None, bool]:
        try:
            with limited_processor_time():
                return call(), False
        except self.errors as error:
            require_one_clear_line(str(error))
            return None, True

    def figure(self) -> str:
        """Words for the report. It is only reached when nothing crashed: a crash ends the test.

        The examples are those that were fed, not those asked of hypothesis, which may stop early.
        """
        return f"{self.parser}: {self.examples} examples, 0 crashes, {self.refused} refused"


def require_one_clear_line(text: str) -> None:
    """Fail unless `text` is a line that a terminal and a log show as it is."""
    assert text.strip(), "an error without words"
    assert len(text) <= LONGEST_LINE, f"an error of {len(text)} characters"
    hidden = {c for c in text if unicodedata.category(c).startswith(("C", "Z")) and c != " "}
    assert not hidden, f"an error that is not one plain line: {text!r}"


@contextmanager
def limited_memory() -> Generator[None]:
    """Let the process grow by `MEMORY_BYTES` at most; more raises MemoryError, which is a crash."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    ceiling = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def limited_processor_time() -> Generator[None]:
    previous = signal.signal(signal.SIGVTALRM, _hang)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)


def _hang(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise HangError(f"more than {CPU_SECONDS:g} seconds of processor time for one input")
