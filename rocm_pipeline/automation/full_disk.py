"""A disk that fills up in the middle of a run, in one plain line."""

import shutil
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr
from typing import TextIO

from rocm_pipeline.errors import UserError
from rocm_pipeline.home import PROBE_BYTES, Home
from rocm_pipeline.redaction.process import CleanStream

_SIGNS = ("no space left on device", "database or disk is full", "disk quota exceeded")
"""How the operating system and SQLite say it."""
_VAGUE = "disk i/o error"
"""What SQLite says when it cannot grow its shared memory, and of broken disks too."""
_DAGSTER_SAYS = "Exception while writing logger call to event log"
"""How Dagster begins what it prints of an event that it could not keep, with all of its SQL."""


def tells_of_full_disk(home: Home, text: str) -> bool:
    """Say whether an error's words are those of a disk with no space left."""
    words = text.lower()
    if any(sign in words for sign in _SIGNS):
        return True
    return _VAGUE in words and shutil.disk_usage(home.path).free < PROBE_BYTES


def full_disk(home: Home) -> UserError:
    return UserError(
        "the disk is full",
        where=str(home.path),
        fix="Free some space there; what was made so far is kept, and a new run goes on from it.",
    )


@contextmanager
def full_disk_in_plain_words(home: Home) -> Generator[None]:
    """Raise `full_disk` in the place of whatever error a full disk has led to."""
    try:
        with redirect_stderr(WithoutFullDisk(home, sys.stderr)):
            yield
    except Exception as error:
        if tells_of_full_disk(home, "".join(traceback.format_exception(error))):
            raise full_disk(home) from error
        raise


class WithoutFullDisk(CleanStream):
    """Standard error without what Dagster prints of events that a full disk could not take.

    It does so in the command's process and in each step's, whatever is said of it in the end.
    """

    def __init__(self, home: Home, inner: TextIO) -> None:
        super().__init__("standard error", inner)
        self._home = home

    def write(self, text: str, /) -> int:
        if text.startswith(_DAGSTER_SAYS) and tells_of_full_disk(self._home, text):
            return len(text)
        return super().write(text)
