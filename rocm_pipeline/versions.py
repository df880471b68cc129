"""Hashes of our own code: what a result depends on besides its inputs."""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path


@cache
def package_sha256(name: str) -> str:
    """Return the hash of every file of a package of ours, by path and content."""
    folder = Path(str(files(name)))
    return files_sha256(folder, folder.rglob("*"))


def files_sha256(folder: Path, paths: Iterable[Path]) -> str:
    """Return the hash of files below `folder`, by path and content, whatever their order.

    What Python compiled of them is left out.
    """
    digest = hashlib.sha256()
    for path in sorted(paths):
        if path.is_file() and path.suffix != ".pyc":
            relative = path.relative_to(folder).as_posix()
            digest.update(relative.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
