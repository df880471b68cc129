"""Hashes of our own code: what a result depends on besides its inputs."""

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path


@cache
def package_sha256(name: str) -> str:
    """Return the hash of every file of a package of ours, by path and content."""
    folder = Path(str(files(name)))
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            relative = path.relative_to(folder).as_posix()
            digest.update(relative.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
