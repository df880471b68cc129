"""Copies a box into a run's own folder and back, trusting nothing that lies there.

The run's folder is held by a descriptor that the parent opened before the run began. On the way
back only regular files with a single name are read, without following a link, up to the limits:
a link, pipe, socket, device or second name stays behind.
"""

import contextlib
import ctypes
import os
import shutil
import stat
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from rocm_pipeline.lab.sandbox.model import Limits

_DEEPEST = 64
_MOST_NAMED = 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PARTIAL = ".rocm-pipeline-partial"

_Mark = tuple[int, int, int]
_Place = tuple[str, ...]


def content_bytes(folder: Path) -> int:
    """How much the regular files below `folder` hold, rounded up to whole pages."""
    pages = 0
    for path, _, names in os.walk(folder):
        for name in names:
            pages += -(-os.lstat(os.path.join(path, name)).st_size // 4096) + 1
    return pages * 4096


@dataclass
class Transfer:
    """One box on its way in and out. `uid` is who shall own what is copied in, None for us."""

    box: Path
    uid: int | None
    limits: Limits
    _marks: dict[_Place, _Mark] = field(default_factory=dict[_Place, _Mark])
    _left_out: list[str] = field(default_factory=list[str])
    _bytes: int = 0
    _entries: int = 0

    def copy_in(self, inside: int) -> None:
        """Fill the folder `inside` (a descriptor) with what the box holds."""
        outside = os.open(self.box, _FOLDER)
        try:
            self._fill(outside, inside, ())
        finally:
            os.close(outside)

    def copy_out(self, inside: int) -> tuple[str, ...]:
        """Make the box what the run left in `inside`; returns what stayed behind, and why."""
        self._most_bytes = self.limits.box_bytes + content_bytes(self.box)
        outside = os.open(self.box, _FOLDER)
        try:
            self._empty(inside, outside, ())
        finally:
            os.close(outside)
        return tuple(self._left_out)

    def _fill(self, outside: int, inside: int, place: _Place) -> None:
        for entry in _entries(outside):
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                with acting_as(self.uid):
                    os.mkdir(entry.name, 0o755, dir_fd=inside)
                with _folder(outside, entry.name) as source, _folder(inside, entry.name) as made:
                    self._fill(source, made, (*place, entry.name))
            elif stat.S_ISLNK(status.st_mode):
                target = os.readlink(entry.name, dir_fd=outside)
                with acting_as(self.uid):
                    os.symlink(target, entry.name, dir_fd=inside)
            elif stat.S_ISREG(status.st_mode):
                source = os.open(entry.name, _READ, dir_fd=outside)
                with acting_as(self.uid):
                    made = os.open(entry.name, _NEW, 0o600, dir_fd=inside)
                _copy(source, made, status.st_size)
                os.chmod(entry.name, 0o644 | (status.st_mode & 0o111), dir_fd=inside)
            self._marks[(*place, entry.name)] = _mark(entry.name, inside)

    def _empty(self, inside: int, outside: int, place: _Place) -> None:
        left = {entry.name for entry in _entries(outside)}
        for entry in _entries(inside):
            here = (*place, entry.name)
            if self._entries >= self.limits.box_files:
                self._leave(here, f"more than {self.limits.box_files} files")
                return
            self._entries += 1
            left.discard(entry.name)
            try:
                self._take(entry, inside, outside, here)
            except OSError as error:
                self._leave(here, error.strerror or str(error))
        for name in left:
            _remove(self.box.joinpath(*place, name))

    def _take(self, entry: "os.DirEntry[str]", inside: int, outside: int, place: _Place) -> None:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            self._take_folder(entry.name, inside, outside, place)
        elif self._marks.get(place) == _mark(entry.name, inside):
            return
        elif not stat.S_ISREG(status.st_mode):
            self._leave(place, f"not a regular file ({stat.filemode(status.st_mode)[0]})")
            _remove(self.box.joinpath(*place))
        elif status.st_nlink != 1:
            self._leave(place, f"{status.st_nlink} names")
            _remove(self.box.joinpath(*place))
        elif self._bytes + status.st_size > self._most_bytes:
            self._leave(place, f"more than {self._most_bytes} bytes in all")
            _remove(self.box.joinpath(*place))
        else:
            self._bytes += status.st_size
            self._take_file(entry.name, inside, outside, status)

    def _take_folder(self, name: str, inside: int, outside: int, place: _Place) -> None:
        if len(place) >= _DEEPEST:
            self._leave(place, f"deeper than {_DEEPEST} folders")
            return
        path = self.box.joinpath(*place)
        if path.is_symlink() or not path.is_dir():
            _remove(path)
            os.mkdir(name, 0o755, dir_fd=outside)
        with _folder(inside, name) as source, _folder(outside, name) as target:
            self._empty(source, target, place)

    def _take_file(self, name: str, inside: int, outside: int, status: os.stat_result) -> None:
        source = os.open(name, _READ, dir_fd=inside)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_PARTIAL, dir_fd=outside)
        made = os.open(_PARTIAL, _NEW, 0o600 | (status.st_mode & 0o111), dir_fd=outside)
        _copy(source, made, status.st_size)
        os.rename(_PARTIAL, name, src_dir_fd=outside, dst_dir_fd=outside)

    def _leave(self, place: _Place, why: str) -> None:
        if len(self._left_out) < _MOST_NAMED:
            name = os.fsencode("/".join(place[:8]))[:200].decode("ascii", "backslashreplace")
            self._left_out.append(f"{name.encode('unicode_escape').decode()}: {why}")


@contextlib.contextmanager
def acting_as(uid: int | None) -> Generator[None, None, None]:
    """Make files as `uid`: for this thread alone, which must be root's unless `uid` is None.

    The in-memory file system of another user namespace takes no file of an owner it cannot name.
    """
    if uid is None:
        yield
        return
    # the group first: the uid takes the right to change it along
    _libc().setfsgid(uid)
    _libc().setfsuid(uid)
    try:
        yield
    finally:
        _libc().setfsuid(0)
        _libc().setfsgid(0)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@contextlib.contextmanager
def _folder(parent: int, name: str) -> Generator[int, None, None]:
    descriptor = os.open(name, _FOLDER, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _entries(folder: int) -> "list[os.DirEntry[str]]":
    with os.scandir(folder) as entries:
        return list(entries)


def _mark(name: str, folder: int) -> _Mark:
    """Changes whenever content or kind do: no process can set a change time."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return status.st_ino, status.st_ctime_ns, status.st_size


def _copy(source: int, made: int, size: int) -> None:
    """Move at most `size` bytes and close both; the source may have shrunk, never grown."""
    try:
        while size > 0 and (sent := os.sendfile(made, source, None, min(size, 1 << 30))):
            size -= sent
    finally:
        os.close(source)
        os.close(made)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
