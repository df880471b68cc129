"""Whole files under one folder or bucket, written so that a reader never sees half of one.

Secrets are taken out of every content on its way.
"""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from rocm_pipeline.errors import UserError
from rocm_pipeline.redaction.process import clean_bytes


class Files:
    """A folder at `url`: a local path, or any fsspec URL such as `s3://bucket/prefix`.

    A local write is a temporary file, fsync, rename, fsync of the folder; object stores replace a
    key in one step by themselves. Raises UserError, naming the path, when it cannot write or read.
    """

    def __init__(self, url: str) -> None:
        with _explained(url):
            found = cast(Any, fsspec.core.url_to_fs(url))
            self._system: Any = found[0]
            self._root: str = str(found[1]).rstrip("/")
            self.is_local = isinstance(self._system, LocalFileSystem)
            if self.is_local:
                Path(self._root).mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> str:
        """Return the full path of `name`, for messages."""
        return f"{self._root}/{name}"

    def write(self, name: str, content: bytes) -> None:
        """Put `content` at `name`, redacted; what was there is replaced as a whole."""
        path = self.path(name)
        clean = clean_bytes(content)
        with _explained(path):
            if self.is_local:
                _write_local(Path(path), clean)
            else:
                self._system.pipe_file(path, clean)

    def read(self, name: str) -> bytes:
        """Return the content of `name`; FileNotFoundError when there is none."""
        path = self.path(name)
        with _explained(path):
            return cast(bytes, self._system.cat_file(path))

    def exists(self, name: str) -> bool:
        path = self.path(name)
        with _explained(path):
            return bool(self._system.isfile(path))

    def remove(self, name: str) -> None:
        """Remove `name`; no error when it is gone already."""
        path = self.path(name)
        with _explained(path):
            try:
                self._system.rm_file(path)
            except FileNotFoundError:
                return


@contextmanager
def _explained(path: str) -> Generator[None, None, None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (ImportError, ValueError) as error:
        raise UserError(
            f"this storage cannot be used ({error})",
            where=path,
            fix="Name a local folder, or an fsspec URL whose driver is installed.",
        ) from error
    except OSError as error:
        raise UserError(
            f"the files cannot be used ({error.strerror or error})",
            where=path,
            fix="Free some space there, or make it writable for this user.",
        ) from error


def _write_local(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{PurePosixPath(path).name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
