"""What this process starts, and how it makes sure that nothing of it lives on.

`harden` comes before the first fork: what is forked cannot be traced by its siblings, cannot read
this process's memory or open its files through /proc, and falls back to this process when its own
parent dies, so that a daemon is found and killed like any other child.
"""

import ctypes
import os
import resource
import signal
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36  # linux/prctl.h
_STANDARD = (0, 1, 2)


def harden() -> None:
    """Close this process to those that it will fork; OSError when the kernel does not."""
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_DUMPABLE, 0), (_PR_SET_CHILD_SUBREAPER, 1)):
        if libc.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


def keep_only(*descriptors: int) -> None:
    """Close every descriptor but the standard ones and these: forked code gets nothing else."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    for kept, following in pairwise((*sorted({*_STANDARD, *descriptors}), most)):
        os.closerange(kept + 1, following)


def end_all() -> None:
    """Kill all descendants of this process and wait for their end."""
    try:
        os.listdir("/proc")
    except OSError:
        _end_all_unseen()
    else:
        _end_children()


def _end_all_unseen() -> None:
    """Where the sandbox shows no processes: kill all that may be killed.

    That is this process's own offspring, because the sandbox's fence lets no signal out. Whoever
    started the sandbox stands behind it; if it could be signalled, nothing must be killed here.
    """
    try:
        os.kill(os.getppid(), 0)
    except PermissionError:
        pass
    else:
        raise RuntimeError("neither processes can be seen nor signals are held back")
    try:
        os.kill(-1, signal.SIGKILL)
        while True:
            os.waitpid(-1, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def _end_children() -> None:
    while children := _children():
        for child in children:
            os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def leave() -> NoReturn:
    """End a forked process without running what it inherited for its exit."""
    os._exit(0)


def _children() -> list[int]:
    own = str(os.getpid())
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            status = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it ended meanwhile
        # the name, in brackets, may hold anything
        parent = status.rpartition(")")[2].split()[1]
        if parent == own:
            found.append(int(folder.name))
    return found
