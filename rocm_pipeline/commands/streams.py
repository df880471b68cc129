"""The standard streams of the command: closed, on a full disk, or with nobody who reads them."""

import contextlib
import os
import signal
import sys

from rocm_pipeline.errors import EXIT_BAD_INPUT, UserError
from rocm_pipeline.redaction.process import OutputLostError

EXIT_NOBODY_READS = 128 + signal.SIGPIPE
"""As shells count a program that ended because its reader had, like `head -1`."""


def open_closed_streams() -> None:
    """Put the null device in the place of each standard stream that is closed.

    Else the next file that is opened, a database maybe, would be what children print into.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    # Python sets those to None that were closed when it started.
    sys.stdin = sys.stdin or os.fdopen(0, "r", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def end_without_output(lost: OutputLostError) -> int:
    """Say, where that can be said, that output was lost; return the exit status."""
    if isinstance(lost.__cause__, BrokenPipeError):
        return EXIT_NOBODY_READS  # who closed it wants no more words
    error = UserError(
        f"cannot be written ({lost})",
        where=lost.stream,
        fix="Free space there, or send it to another place.",
    )
    with contextlib.suppress(OSError):  # both may go to one full disk
        sys.stderr.write(f"error: {error}\n")
    return EXIT_BAD_INPUT
