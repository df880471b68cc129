"""Reads a run's pipes until it ends or must end, and then sees to it that nothing of it lives."""

import abc
import contextlib
import json
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from rocm_pipeline.interruption import go_on
from rocm_pipeline.lab.sandbox.model import Limits, SandboxUnavailable

READ_BYTES = 1 << 16
DEATH_SECONDS = 10.0
_LOOK_SECONDS = 0.05
_SETPRIV = "/usr/bin/setpriv"

# The command reports first, and starts only when the harness answers: end of file means that
# there is no harness. Between the two the harness fills the box and sets the run's group.
_REPORT, _ANSWER = b"ready\n", b"start\n"
ON_ANSWER = ["/bin/sh", "-c", 'echo ready; read -r answer || exit 1; exec "$@" < /dev/null', "sh"]


@dataclass(frozen=True)
class Outcome:
    """Raw result; `exit_code` is None when the command never started or was killed from here."""

    exit_code: int | None
    stdout: bytes
    stderr: bytes
    truncated: bool
    timed_out: bool
    seconds: float
    stopped_for: str = ""
    left_out: tuple[str, ...] = ()


@dataclass
class _Capture:
    """What one pipe delivered, up to `limit` bytes; the rest is dropped."""

    limit: int
    kept: bytearray = field(default_factory=bytearray)
    truncated: bool = False

    def add(self, data: bytes) -> None:
        room = self.limit - len(self.kept)
        self.kept += data[:room]
        self.truncated = self.truncated or len(data) > room


class Watch(abc.ABC):
    """One started mechanism. `on_ready` is called before the command runs, `look` while it does.

    `look` returns why the run must stop, or an empty text.
    """

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        status_fd: int,
        began: float,
        limits: Limits,
        *,
        on_ready: Callable[[int], None],
        look: Callable[[], str],
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.status_fd = status_fd
        self._began = began
        self._deadline = began + limits.wall_seconds
        self._stdout = _Capture(len(_REPORT) + limits.output_bytes)
        self._stderr = _Capture(limits.output_bytes)
        self._status = _Capture(READ_BYTES)
        self._stdin_fd = process.stdin.fileno()
        self._stdout_fd = process.stdout.fileno()
        self._on_ready, self._look = on_ready, look
        self._answered = False
        self._stopped_for = ""
        self._pipes = {
            self._stdout_fd: self._stdout,
            process.stderr.fileno(): self._stderr,
            status_fd: self._status,
        }

    @abc.abstractmethod
    def first_pid(self) -> int | None:
        """The first process of the run that exists, once it is known."""

    @abc.abstractmethod
    def kill(self) -> None:
        """End everything that was started; called once, and always."""

    def until_dead(self) -> Outcome:
        ended = False
        try:
            ended = self._read_until_exit()
        finally:
            # a report that is read from here on comes from the dead
            self._answered = True
            self.kill()
        self._drain()
        return Outcome(
            exit_code=self.reported("exit-code") if ended else None,
            stdout=bytes(self._stdout.kept[len(_REPORT) :]),
            stderr=bytes(self._stderr.kept),
            truncated=self._stdout.truncated or self._stderr.truncated,
            timed_out=not ended and not self._stopped_for,
            seconds=time.monotonic() - self._began,
            stopped_for=self._stopped_for,
        )

    def read(self, fd: int) -> bool:
        """Whether more may come."""
        data = os.read(fd, READ_BYTES)
        self._pipes[fd].add(data)
        if fd == self._stdout_fd and not self._answered:
            self._answer()
        return bool(data)

    def reported(self, key: str) -> int | None:
        """A number from the mechanism's status, which is a sequence of JSON documents."""
        for line in self._status.kept.decode().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                document = json.loads(line)
                if key in document:
                    return int(document[key])
        return None

    def _read_until_exit(self) -> bool:
        """Whether the process ended by itself, before the deadline and unstopped."""
        with contextlib.ExitStack() as stack:
            exit_fd = os.pidfd_open(self.process.pid)
            stack.callback(os.close, exit_fd)
            selector = stack.enter_context(selectors.DefaultSelector())
            for fd in (*self._pipes, exit_fd):
                os.set_blocking(fd, False)
                selector.register(fd, selectors.EVENT_READ)
            next_look = time.monotonic() + _LOOK_SECONDS
            while (left := self._deadline - time.monotonic()) > 0:
                go_on()
                ready = [key.fd for key, _ in selector.select(min(left, _LOOK_SECONDS))]
                if exit_fd in ready:
                    return True
                for fd in ready:
                    # Answering the report may have read the status already.
                    with contextlib.suppress(BlockingIOError):
                        if not self.read(fd):
                            selector.unregister(fd)
                if self._answered and time.monotonic() > next_look:
                    self._stopped_for = self._look()
                    if self._stopped_for:
                        return False
                    next_look = time.monotonic() + _LOOK_SECONDS
        return False

    def _answer(self) -> None:
        if not self._stdout.kept.startswith(_REPORT):
            return
        self._answered = True
        first = self.first_pid()
        if first is None:
            return
        # It may have been killed meanwhile, which the exit will tell.
        with contextlib.suppress(BrokenPipeError, ProcessLookupError, FileNotFoundError):
            self._on_ready(first)
            os.write(self._stdin_fd, _ANSWER)

    def _drain(self) -> None:
        # Never waits: all writers are dead, and a stranger's fork may hold a copy of the pipe.
        for fd in self._pipes:
            with contextlib.suppress(BlockingIOError):
                while self.read(fd):
                    pass


def start(
    program: str,
    argv: Sequence[str],
    *,
    inherited: Sequence[int],
    uid: int | None = None,
    groups: Sequence[int] = (),
) -> "subprocess.Popen[bytes]":
    """Start a mechanism's own program, in a session of its own and with an empty environment.

    As `uid` with nothing but `groups`; as we are when that is None. It is util-linux's setpriv that
    changes the user: with `user=` of its own, subprocess would fork, which copies the page tables
    of a process that holds large arrays, and runs OpenBLAS's handlers beside its threads.
    """
    lead = [] if uid is None else _as_user(uid, groups)
    return subprocess.Popen(
        [*lead, program, *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        # The run may be able to read the environment of the program that contains it.
        env={},
        umask=0o022,
        pass_fds=inherited,
        start_new_session=True,
    )


def _as_user(uid: int, groups: Sequence[int]) -> list[str]:
    if not os.access(_SETPRIV, os.X_OK):
        raise SandboxUnavailable(
            f"{_SETPRIV} is missing, and root needs it to give up its rights",
            where="sandbox",
            fix="Install util-linux.",
        )
    kept = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
    return [_SETPRIV, "--reuid", str(uid), "--regid", str(uid), *kept, "--"]


@contextlib.contextmanager
def memory_file(content: bytes) -> Generator[int, None, None]:
    """A descriptor to read `content` from, closed on exec unless passed on."""
    fd = os.memfd_create("sandbox")
    with os.fdopen(fd, "wb", buffering=0) as file:
        file.write(content)
        file.seek(0)
        yield fd
