"""How much a run has put into a folder on disk, looked at while it runs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from rocm_pipeline.lab.sandbox.model import Limits

_DEEPEST = 64
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LEAST_FREE = 1 << 30


class Gauge:
    """Watches one folder. A run can exceed a limit by what it writes between two looks.

    A file that was unlinked while open is not seen; what bounds those is the disk's free space,
    of which at least 1 GiB, or half where there is less, must stay.
    """

    def __init__(self, folder: Path | str, limits: Limits) -> None:
        self._folder = folder
        self._most_bytes = limits.box_bytes + limits.file_bytes + _used(folder)[0]
        self._most_files = limits.box_files + _used(folder)[1]
        self._least_free = min(_LEAST_FREE, _free(folder) // 2)

    def overfull(self) -> str:
        """Why the run must stop; empty when it need not."""
        if _free(self._folder) < self._least_free:
            return "the disk is nearly full"
        size = count = 0
        for blocks in _blocks(self._folder):
            size, count = size + blocks * 512, count + 1
            if size > self._most_bytes:
                return f"more than {self._most_bytes} bytes in files"
            if count > self._most_files:
                return f"more than {self._most_files} files"
        return ""


def _used(folder: Path | str) -> tuple[int, int]:
    sizes = list(_blocks(folder))
    return sum(sizes) * 512, len(sizes)


def _free(folder: Path | str) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _blocks(folder: Path | str) -> Iterator[int]:
    """Blocks of 512 bytes of each entry below `folder`, which may change meanwhile.

    Folders that lie too deep, or that may not be read, count their own blocks alone.
    """
    root = os.open(folder, _FOLDER)
    yield from _below(root, 0)


def _below(folder: int, depth: int) -> Iterator[int]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    yield entry.stat(follow_symlinks=False).st_blocks
                    if depth < _DEEPEST and entry.is_dir(follow_symlinks=False):
                        yield from _below(os.open(entry.name, _FOLDER, dir_fd=folder), depth + 1)
    finally:
        os.close(folder)
