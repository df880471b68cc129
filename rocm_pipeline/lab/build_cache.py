"""Compiled kernels by the content they were made from.

One file an entry. An entry that is damaged (a killed disk, an old format) or stands in another's
place reads as absent, so the worst that can happen is one more compilation.
"""

import os
import tempfile
import zlib
from pathlib import Path


class BuildCache:
    """A folder of compressed, checksummed entries; safe for any number of writers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> bytes | None:
        """Return the content stored under `key` (a hex digest), or None."""
        try:
            entry = zlib.decompress(self._path(key).read_bytes())
        except (OSError, zlib.error):
            return None
        name = key.encode()
        return entry[len(name) :] if entry.startswith(name) else None

    def put(self, key: str, content: bytes) -> None:
        """Store `content` under `key`; readers see the whole entry or none."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(zlib.compress(key.encode() + content, level=1))
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key
