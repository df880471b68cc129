"""Reading a file that untrusted code wrote."""

import json
import math
import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any

from rocm_pipeline.errors import one_line

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = _FILE | os.O_DIRECTORY


class ResultRefused(Exception):  # noqa: N818
    """The result is absent, or is not a plain file of the permitted size and form."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def read_result(box: Path, name: str, limit: int) -> bytes:
    """The content of `name`, a path relative to `box`, at most `limit` bytes.

    Follows no link on the way and accepts nothing but a regular file with a single name, so that
    what is read lies in the box. Call it once the run has ended. Raises ResultRefused.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ResultRefused(f"{name!r} is not a path inside the box")
    try:
        descriptor = _open_below(box, path.parts)
    except (OSError, ValueError) as error:  # ValueError: a zero character in the name
        raise ResultRefused(f"{name}: {getattr(error, 'strerror', error)}") from error
    try:
        return _read_plain(descriptor, name, limit)
    finally:
        os.close(descriptor)


def read_json(box: Path, name: str, limit: int) -> object:
    """The JSON document in `name`: UTF-8, no NaN and no infinity, no name twice in an object.

    Raises ResultRefused.
    """
    content = read_result(box, name, limit)
    try:
        return json.loads(
            content.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_distinct,
        )
    except (ValueError, RecursionError) as error:
        raise ResultRefused(f"{name} is not plain JSON: {error or 'too deep'}") from error


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is out of range")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _read_plain(descriptor: int, name: str, limit: int) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ResultRefused(f"{name} is not a regular file")
    if status.st_nlink != 1:
        raise ResultRefused(f"{name} has {status.st_nlink} names")
    # before reading: a sparse file costs its writer nothing
    if status.st_size > limit:
        raise ResultRefused(f"{name} is larger than {limit} bytes")
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ResultRefused(f"{name} is larger than {limit} bytes")
    return content


def _open_below(box: Path, parts: tuple[str, ...]) -> int:
    folder = os.open(box, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            deeper = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = deeper
        return os.open(parts[-1], _FILE, dir_fd=folder)
    finally:
        os.close(folder)
