"""Folders that untrusted code has filled.

Such a tree may be deeper than Python's recursion, its open files and its path lengths allow, and
may forbid its own removal; coreutils walk it without following links.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path


@contextlib.contextmanager
def temporary_box() -> Generator[Path, None, None]:
    """A private empty folder for `Sandbox.run`, removed at the end whatever a run left in it."""
    folder = Path(tempfile.mkdtemp(prefix="rocm-pipeline-box-"))
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    # most runs leave some files and nothing else, and two programs cost as much as such a run
    if all(_unlinked(entry) for entry in list(os.scandir(folder))):
        folder.rmdir()
    else:
        _coreutils("chmod", "-R", "u+rwX", str(folder))
        _coreutils("rm", "-rf", "--one-file-system", str(folder))


def _unlinked(entry: "os.DirEntry[str]") -> bool:
    """Remove one entry of a box, unless it is a folder."""
    if entry.is_dir(follow_symlinks=False):
        return False
    os.unlink(entry.path)
    return True


def _coreutils(program: str, *arguments: str) -> None:
    subprocess.run(
        [f"/usr/bin/{program}", *arguments],
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
