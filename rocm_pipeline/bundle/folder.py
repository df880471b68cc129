"""A bundle on the disk: plain files, and SHA256SUMS over all of them.

What is read may come from a stranger: nothing but regular files with plain names, no links, a
bounded size, and exactly the files that SHA256SUMS lists, with the hashes that it lists.
"""

import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.sandbox import ResultRefused, read_result

SUMS = "SHA256SUMS"
MOST_FILES = 256
MOST_BYTES = 64 << 20
"""All files together."""
MOST_DEPTH = 3

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,80}")
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


class BundleRefused(UserError):  # noqa: N818
    """The folder is no intact bundle, so nothing in it was used."""


def refusal(what: str, folder: Path | str) -> BundleRefused:
    """Return the error that says what is wrong with the bundle at `folder`."""
    return BundleRefused(
        what,
        where=str(folder),
        fix="Ask its author for the folder again, as `rocm-pipeline evidence export` wrote it.",
    )


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the whole folder or nothing; UserError when it is there or cannot be written."""
    if os.path.lexists(folder):
        raise UserError("is there already", where=str(folder), fix="Name another with `--to`.")
    for path in files:
        _check_name(path, folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".bundle-"))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        for path, content in {**files, SUMS: sums(files)}.items():
            _write(draft / path, content)
        draft.chmod(0o755)
        draft.rename(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def sums(files: Mapping[str, bytes]) -> bytes:
    """Return SHA256SUMS as `sha256sum -c` reads it."""
    lines = (f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files))
    return "".join(lines).encode()


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return every file of the bundle but SHA256SUMS, checked; BundleRefused otherwise."""
    if not folder.is_dir():
        raise UserError(
            "is no folder", where=str(folder), fix="Name a folder that holds an evidence bundle."
        )
    found: dict[str, bytes] = {}
    left = MOST_BYTES
    for path in _walk(folder, ""):
        if len(found) == MOST_FILES:
            raise refusal(f"holds more than {MOST_FILES} files", folder)
        try:
            found[path] = read_result(folder, path, left)
        except ResultRefused as error:
            raise refusal(str(error), folder) from error
        left -= len(found[path])
    listed = _listed(found.pop(SUMS, None), folder)
    _compare(listed, found, folder)
    return found


def _walk(folder: Path, below: str, depth: int = 1) -> Iterator[str]:
    with os.scandir(folder / below) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = f"{below}/{entry.name}" if below else entry.name
            mode = entry.stat(follow_symlinks=False).st_mode
            if not _PART.fullmatch(entry.name):
                raise refusal(f"{path!r} is no name for a file of a bundle", folder)
            if stat.S_ISDIR(mode):
                if depth == MOST_DEPTH:
                    raise refusal(f"{path} is too deep", folder)
                yield from _walk(folder, path, depth + 1)
            elif stat.S_ISREG(mode):
                yield path
            else:
                raise refusal(f"{path} is a link or a special file", folder)


def _listed(content: bytes | None, folder: Path) -> dict[str, str]:
    if content is None:
        raise refusal(f"holds no {SUMS}", folder)
    listed: dict[str, str] = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in listed:
            raise refusal(f"{SUMS} line {number} is not a new '<sha256>  <path>'", folder)
        _check_name(match[2], folder)
        listed[match[2]] = match[1]
    return listed


def _compare(listed: Mapping[str, str], found: Mapping[str, bytes], folder: Path) -> None:
    for path in sorted(set(listed) | set(found)):
        if path not in found:
            raise refusal(f"{path} is missing", folder)
        if path not in listed:
            raise refusal(f"{path} is not listed in {SUMS}", folder)
        if hashlib.sha256(found[path]).hexdigest() != listed[path]:
            raise refusal(f"{path} was altered: its hash is not the one in {SUMS}", folder)


def _check_name(path: str, folder: Path) -> None:
    parts = path.split("/")
    if len(parts) > MOST_DEPTH or not all(_PART.fullmatch(part) for part in parts):
        raise refusal(f"{path!r} is no name for a file of a bundle", folder)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _unwritable(folder: Path, error: OSError) -> UserError:
    # of a file where the folder above it must be, the system says only that it exists
    why = "a file is above it" if isinstance(error, FileExistsError) else error.strerror or error
    return UserError(
        f"cannot be written ({why})",
        where=str(folder),
        fix="Name a folder on a disk with space that this user can write to, with `--to`.",
    )
