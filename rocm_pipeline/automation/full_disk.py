"""A disk that fills up in the middle of a run, in one plain line."""

import shutil
import traceback
from collections.abc import Generator
from contextlib import contextmanager

from rocm_pipeline.errors import UserError
from rocm_pipeline.home import PROBE_BYTES, Home

_SIGNS = ("no space left on device", "database or disk is full", "disk quota exceeded")
"""How the operating system and SQLite say it."""
_VAGUE = "disk i/o error"
"""What SQLite says when it cannot grow its shared memory, and of broken disks too."""


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
        yield
    except Exception as error:
        if tells_of_full_disk(home, "".join(traceback.format_exception(error))):
            raise full_disk(home) from error
        raise
