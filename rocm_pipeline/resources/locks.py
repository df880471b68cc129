"""A lock between processes: a file that one of them holds."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rocm_pipeline.errors import UserError


@contextmanager
def locked(path: Path) -> Generator[None, None, None]:
    """Wait for the lock at `path` and hold it; it is freed with the process at the latest."""
    with lock_file(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lock_file(path: Path) -> TextIO:
    """Open the file of a lock, to read and to append; a `UserError` says why it cannot be."""
    try:
        return path.open("a+")
    except OSError as error:
        raise UserError(
            f"this lock cannot be opened ({error.strerror})",
            where=str(path),
            fix="Move it away, or make it a file that this user can write.",
        ) from error
