"""How a harness that runs as root gives a sandbox to an unprivileged uid.

bubblewrap run by root is no sandbox: its uid 0 is the machine's uid 0. So bubblewrap is started
under a uid that owns nothing. That uid cannot walk through folders such as a 0700 home, which
bubblewrap would have to do to reach a toolchain or a box below one (also for its `--bind-fd`,
which resolves the descriptor back to a path). Root therefore first gives the run a mount
namespace of its own, where everything to be bound stands at a short path that anyone can reach.
"""

import ctypes
import itertools
import os
import pwd
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

from rocm_pipeline.lab.sandbox.model import SandboxUnavailable

Result = TypeVar("Result")

# Covered by a small in-memory file system, in the run's own mount namespace only.
_STAGE = "/tmp"

# Between the ranges that Linux distributions and systemd hand out (systemd's UIDS-GIDS.md).
_UNASSIGNED_UIDS = range(60706, 61184)

_runs = itertools.count()

_CLONE_NEWNS = 0x00020000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18


@cache
def sandbox_uid() -> int | None:
    """The uid to run bubblewrap under; None means our own, which is not root."""
    if os.geteuid() != 0:
        return None
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in _UNASSIGNED_UIDS if uid not in taken)


def fresh_uid() -> int | None:
    """A uid that no other run of this process has at the moment; None when we are not root.

    Where runs share the machine's process table, each must have its own, or they could reach and
    count one another.
    """
    first = sandbox_uid()
    if first is None:
        return None
    spare = _UNASSIGNED_UIDS.stop - first - 1
    return first + 1 + (os.getpid() * 31 + next(_runs)) % spare


def within_reach(sources: Sequence[Path], task: Callable[[Sequence[str]], Result]) -> Result:
    """Call `task` with a path for each source that the sandbox's uid can walk to.

    As root the task runs in a thread of its own, and those paths exist only for it and for the
    processes that it starts; they are gone when the last of these ends, however it ends.
    """
    if sandbox_uid() is None:
        return task([str(source.resolve(strict=True)) for source in sources])
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(lambda: task(_stage(sources))).result()


def _stage(sources: Sequence[Path]) -> list[str]:
    # Only this thread leaves: the kernel gives it file-system state of its own along with the
    # mount namespace.
    _check(_libc().unshare(_CLONE_NEWNS), "make a mount namespace")
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE, None)
    # Opened inside the namespace, and before a source below _STAGE is covered.
    opened = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source in sources]
    try:
        _mount("tmpfs", _STAGE, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=64k")
        return [_bind(descriptor, f"{_STAGE}/{i}") for i, descriptor in enumerate(opened)]
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _bind(descriptor: int, place: str) -> str:
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.mkdir(place)
    else:
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
    _mount(f"/proc/self/fd/{descriptor}", place, None, _MS_BIND | _MS_REC, None)
    return place


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _mount(source: str, place: str, kind: str | None, flags: int, options: str | None) -> None:
    texts = [None if text is None else text.encode() for text in (source, place, kind, options)]
    result = _libc().mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])
    _check(result, f"mount {place}")


def _check(result: int, action: str) -> None:
    if result != 0:
        raise SandboxUnavailable(
            f"root could not {action}: {os.strerror(ctypes.get_errno())}",
            where="sandbox",
            fix="Run as a user other than root, or give the container CAP_SYS_ADMIN.",
        )
