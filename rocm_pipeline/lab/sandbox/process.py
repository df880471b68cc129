"""One bubblewrap process: started, read, timed, and killed with all that it holds."""

import contextlib
import json
import os
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from rocm_pipeline.lab.sandbox.model import Limits

_READ_BYTES = 1 << 16
_DEATH_SECONDS = 10.0

# bubblewrap asks to die with its parent only once the sandbox is set up, so a harness killed in
# the milliseconds before would leave the command running. The command therefore reports first,
# and starts only when the harness answers: end of file means that there is no harness.
_REPORT, _ANSWER = b"ready\n", b"start\n"
_ON_ANSWER = ["/bin/sh", "-c", 'echo ready; read -r answer || exit 1; exec "$@" < /dev/null', "sh"]


@dataclass(frozen=True)
class Outcome:
    """Raw result; `exit_code` is None when the command never started or was killed from here."""

    exit_code: int | None
    stdout: bytes
    stderr: bytes
    truncated: bool
    timed_out: bool
    seconds: float


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


def execute(
    bwrap: str,
    options: Sequence[str],
    argv: Sequence[str],
    *,
    seccomp: bytes,
    uid: int | None,
    limits: Limits,
) -> Outcome:
    """Run `argv` in bubblewrap to its end, or until the wall clock; nothing of it lives on.

    The calling thread must wait here: bubblewrap dies with the thread that started it.
    """
    with contextlib.ExitStack() as stack:
        seccomp_fd = stack.enter_context(_memory_file(seccomp))
        status_read, status_write = _status_pipe()
        stack.callback(os.close, status_read)
        with os.fdopen(status_write, "r+b", buffering=0):
            fds = ["--seccomp", str(seccomp_fd), "--json-status-fd", str(status_write)]
            # By descriptor, because the options name host paths and the sandbox can read
            # /proc/1/cmdline.
            options_fd = stack.enter_context(_memory_file(_joined([*options, *fds])))
            began = time.monotonic()
            process = _start(
                bwrap,
                ["bwrap", "--args", str(options_fd), "--", *_ON_ANSWER, *argv],
                uid=uid,
                inherited=[seccomp_fd, options_fd, status_write],
            )
        stack.enter_context(process)
        return _Watch(process, status_read, began, limits).until_dead()


def _start(
    bwrap: str, argv: Sequence[str], *, uid: int | None, inherited: Sequence[int]
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        argv,
        executable=bwrap,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        # The sandbox can read /proc/1/environ, which is bubblewrap's own.
        env={},
        umask=0o022,
        pass_fds=inherited,
        start_new_session=True,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    )


class _Watch:
    """Reads a running bubblewrap until it ends or time is up, then makes sure that it is dead."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", status_fd: int, began: float, limits: Limits
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._began = began
        self._deadline = began + limits.wall_seconds
        self._stdout = _Capture(len(_REPORT) + limits.output_bytes)
        self._stderr = _Capture(limits.output_bytes)
        self._status = _Capture(_READ_BYTES)
        self._status_fd = status_fd
        self._stdin_fd = process.stdin.fileno()
        self._stdout_fd = process.stdout.fileno()
        self._answered = False
        self._pipes = {
            self._stdout_fd: self._stdout,
            process.stderr.fileno(): self._stderr,
            status_fd: self._status,
        }
        # pid 1 of the sandbox: the kernel kills all the rest when it dies.
        self._init_fd: int | None = None

    def until_dead(self) -> Outcome:
        timed_out = False
        try:
            timed_out = not self._read_until_exit()
        finally:
            self._kill()
        self._drain()
        return Outcome(
            exit_code=None if timed_out else self._reported("exit-code"),
            stdout=bytes(self._stdout.kept[len(_REPORT) :]),
            stderr=bytes(self._stderr.kept),
            truncated=self._stdout.truncated or self._stderr.truncated,
            timed_out=timed_out,
            seconds=time.monotonic() - self._began,
        )

    def _read_until_exit(self) -> bool:
        """Whether bubblewrap ended before the deadline."""
        with contextlib.ExitStack() as stack:
            exit_fd = os.pidfd_open(self._process.pid)
            stack.callback(os.close, exit_fd)
            selector = stack.enter_context(selectors.DefaultSelector())
            for fd in (*self._pipes, exit_fd):
                os.set_blocking(fd, False)
                selector.register(fd, selectors.EVENT_READ)
            while (left := self._deadline - time.monotonic()) > 0:
                ready = [key.fd for key, _ in selector.select(left)]
                if exit_fd in ready:
                    return True
                for fd in ready:
                    if not self._read(fd):
                        selector.unregister(fd)
        return False

    def _read(self, fd: int) -> bool:
        """Whether more may come."""
        data = os.read(fd, _READ_BYTES)
        self._pipes[fd].add(data)
        if fd == self._status_fd:
            self._hold_init()
        if fd == self._stdout_fd and not self._answered:
            self._answer()
        return bool(data)

    def _answer(self) -> None:
        if self._stdout.kept.startswith(_REPORT):
            self._answered = True
            # It may have been killed meanwhile.
            with contextlib.suppress(BrokenPipeError):
                os.write(self._stdin_fd, _ANSWER)

    def _hold_init(self) -> None:
        pid = self._reported("child-pid")
        if pid is not None and self._init_fd is None:
            with contextlib.suppress(ProcessLookupError):
                self._init_fd = os.pidfd_open(pid)

    def _drain(self) -> None:
        # Never waits: all writers are dead, and a stranger's fork may hold a copy of the pipe.
        for fd in self._pipes:
            with contextlib.suppress(BlockingIOError):
                while self._read(fd):
                    pass

    def _find_init(self) -> None:
        """Learn pid 1 of the sandbox, unless bubblewrap ended before it made one.

        bubblewrap killed on its own in its first milliseconds leaves a sandbox that runs on: that
        asks to die with its parent only once it is set up.
        """
        give_up = time.monotonic() + _DEATH_SECONDS
        while self._init_fd is None and time.monotonic() < give_up:
            ready, _, _ = select.select([self._status_fd], [], [], _DEATH_SECONDS)
            if ready and not self._read(self._status_fd):
                return

    def _kill(self) -> None:
        self._find_init()
        if self._init_fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init_fd, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        if self._init_fd is None:
            return
        try:
            dead, _, _ = select.select([self._init_fd], [], [], _DEATH_SECONDS)
            if not dead:
                raise RuntimeError(f"a sandbox outlived SIGKILL by {_DEATH_SECONDS} s")
            # It became our child if we are the init of a container: leave no zombie.
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, self._init_fd, os.WEXITED)
        finally:
            os.close(self._init_fd)

    def _reported(self, key: str) -> int | None:
        """A number from bubblewrap's status, which is a sequence of JSON documents."""
        for line in self._status.kept.decode().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                document = json.loads(line)
                if key in document:
                    return int(document[key])
        return None


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


@contextlib.contextmanager
def _memory_file(content: bytes) -> Generator[int, None, None]:
    """A descriptor to read `content` from, closed on exec unless passed on."""
    fd = os.memfd_create("sandbox")
    with os.fdopen(fd, "wb", buffering=0) as file:
        file.write(content)
        file.seek(0)
        yield fd
