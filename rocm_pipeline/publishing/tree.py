"""Writing into a working tree without ever leaving it, whatever else changes it meanwhile.

Each folder is opened below the one before it, never through a link, and each file is made new and
renamed into place: a link that is put there at any moment is replaced or refused, not followed.
"""

import errno
import os
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from rocm_pipeline.agents.paths import check_path, check_paths
from rocm_pipeline.errors import UserError
from rocm_pipeline.redaction.process import clean_bytes

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_IN_THE_WAY = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST)


def write_files(root: Path, files: Mapping[str, str]) -> None:
    """Write `files` below `root`, redacted; folders are made where they are missing.

    Raises `PathRefusedError` for a name that may not be written, before anything is, and UserError
    when a link or file stands where a folder is needed.
    """
    check_paths(files)
    for path, text in files.items():
        *folders, name = check_path(path)
        try:
            with _opened(root, folders) as folder:
                _write(folder, name, clean_bytes(text.encode()))
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            raise UserError(
                f"something else stands where '{path}' is to be written ({error.strerror})",
                where=str(root),
                fix="Remove links and files of those names from the repository.",
            ) from error


@contextmanager
def _opened(root: Path, folders: list[str]) -> Generator[int, None, None]:
    handle = os.open(root, _FOLDER)
    try:
        for name in folders:
            with suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=handle)
            inner = os.open(name, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _write(folder: int, name: str, content: bytes) -> None:
    temporary = f".{secrets.token_hex(8)}"
    with os.fdopen(os.open(temporary, _NEW_FILE, 0o644, dir_fd=folder), "wb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(temporary, dir_fd=folder)
            raise
