"""One bubblewrap process: started, filled, watched, and killed with all that it holds."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rocm_pipeline.lab.sandbox import cgroups
from rocm_pipeline.lab.sandbox.transfer import Transfer
from rocm_pipeline.lab.sandbox.watch import (
    DEATH_SECONDS,
    ON_ANSWER,
    Outcome,
    Watch,
    memory_file,
    start,
)

# /tmp and /dev/shm are two more in-memory file systems; their files are counted with the box's.
_FOLDERS = ("cwd", "root/tmp", "root/dev/shm")


@dataclass
class Inside:
    """The run's own folders, held open from before it begins until they were read."""

    transfer: Transfer
    group: cgroups.Group | None
    _held: list[int] = field(default_factory=list[int])

    def enter(self, init: int) -> None:
        """Take hold of the folders, fill the box, and put the command in its group.

        Raises ProcessLookupError when the command was killed meanwhile.
        """
        # pid 1 is bubblewrap, whose folders nobody may look into; its one child is our shell.
        children = Path(f"/proc/{init}/task/{init}/children").read_text().split()
        if not children:
            raise ProcessLookupError
        for name in _FOLDERS:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            self._held.append(os.open(f"/proc/{children[0]}/{name}", flags))
        self.transfer.copy_in(self._held[0])
        if self.group is not None:
            self.group.add(int(children[0]))

    def overfull(self) -> str:
        """Why the run must stop: the size is capped by the kernel, the number of files here."""
        most = self.transfer.limits.box_files
        used = (os.fstatvfs(fd) for fd in self._held)
        if sum(each.f_files - each.f_ffree for each in used) > most + len(_FOLDERS):
            return f"more than {most} files"
        return ""

    def leave(self) -> tuple[str, ...]:
        """Copy the box out; empty when the run never began."""
        return self.transfer.copy_out(self._held[0]) if self._held else ()

    def close(self) -> None:
        for fd in self._held:
            os.close(fd)


def execute(
    bwrap: str,
    options: Sequence[str],
    argv: Sequence[str],
    *,
    seccomp: bytes,
    uid: int | None,
    groups: Sequence[int],
    inside: Inside,
) -> Outcome:
    """Run `argv` in bubblewrap to its end, or until the wall clock; nothing of it lives on.

    The calling thread must wait here: bubblewrap dies with the thread that started it.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(inside.close)
        seccomp_fd = stack.enter_context(memory_file(seccomp))
        status_read, status_write = _status_pipe()
        stack.callback(os.close, status_read)
        with os.fdopen(status_write, "r+b", buffering=0):
            fds = ["--seccomp", str(seccomp_fd), "--json-status-fd", str(status_write)]
            # By descriptor, because the options name host paths and the sandbox can read
            # /proc/1/cmdline.
            options_fd = stack.enter_context(memory_file(_joined([*options, *fds])))
            began = time.monotonic()
            process = start(
                bwrap,
                ["--args", str(options_fd), "--", *ON_ANSWER, *argv],
                uid=uid,
                groups=groups,
                inherited=[seccomp_fd, options_fd, status_write],
            )
        stack.enter_context(process)
        outcome = _BubblewrapWatch(
            process,
            status_read,
            began,
            inside.transfer.limits,
            on_ready=inside.enter,
            look=inside.overfull,
        ).until_dead()
        return outcome if outcome.stopped_for else replace(outcome, left_out=inside.leave())


class _BubblewrapWatch(Watch):
    # pid 1 of the sandbox: the kernel kills all the rest when it dies.
    _init_fd: int | None = None

    def first_pid(self) -> int | None:
        self._find_init()
        return self.reported("child-pid")

    def read(self, fd: int) -> bool:
        more = super().read(fd)
        if fd == self.status_fd:
            self._hold_init()
        return more

    def kill(self) -> None:
        self._find_init()
        if self._init_fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init_fd, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        if self._init_fd is None:
            return
        try:
            dead, _, _ = select.select([self._init_fd], [], [], DEATH_SECONDS)
            if not dead:
                raise RuntimeError(f"a sandbox outlived SIGKILL by {DEATH_SECONDS} s")
            # It became our child if we are the init of a container: leave no zombie.
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, self._init_fd, os.WEXITED)
        finally:
            os.close(self._init_fd)

    def _hold_init(self) -> None:
        pid = self.reported("child-pid")
        if pid is not None and self._init_fd is None:
            with contextlib.suppress(ProcessLookupError):
                self._init_fd = os.pidfd_open(pid)

    def _find_init(self) -> None:
        """Learn pid 1 of the sandbox, unless bubblewrap ended before it made one.

        bubblewrap asks to die with its parent only once the sandbox is set up; killed on its own
        in its first milliseconds it leaves a sandbox that runs on.
        """
        give_up = time.monotonic() + DEATH_SECONDS
        while self._init_fd is None and time.monotonic() < give_up:
            ready, _, _ = select.select([self.status_fd], [], [], DEATH_SECONDS)
            if ready and not self.read(self.status_fd):
                return


def _status_pipe() -> tuple[int, int]:
    """A pipe whose write end reads as well, so that a write never fails for want of a reader.

    It would end bubblewrap when the harness has died, and its half-made sandbox would wait for it
    for ever.
    """
    read, write = os.pipe()
    os.close(write)
    return read, os.open(f"/proc/self/fd/{read}", os.O_RDWR | os.O_CLOEXEC)


def _joined(words: Sequence[str]) -> bytes:
    if any("\0" in word for word in words):
        raise ValueError("a NUL byte in a path or in an environment variable")
    return b"".join(os.fsencode(word) + b"\0" for word in words)
