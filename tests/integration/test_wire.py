"""What the checking process hears from the operator's, and how it ends what that started."""

import os
import subprocess
import sys
import time

import pytest

from rocm_pipeline.integration.inside.wire import (
    MAX_FRAME,
    BrokenLineError,
    Frame,
    LateError,
    joined,
    parted,
    receive,
    send,
)


@pytest.fixture
def pipe() -> tuple[int, int]:
    return os.pipe()


def test_a_frame_arrives_as_it_was_sent(pipe: tuple[int, int]) -> None:
    send(pipe[1], Frame.NOTE, b"")
    send(pipe[1], Frame.ARRAY, b"x" * 1000)
    os.close(pipe[1])
    assert receive(pipe[0]) == (Frame.NOTE, b"")
    assert receive(pipe[0]) == (Frame.ARRAY, b"x" * 1000)
    assert receive(pipe[0]) is None


@pytest.mark.parametrize(
    "content",
    [
        b"?\0\0\0\0",
        b"n\0\0\0\5abc",
        b"n" + (MAX_FRAME + 1).to_bytes(4, "big"),
    ],
)
def test_what_is_no_frame_is_refused(pipe: tuple[int, int], content: bytes) -> None:
    os.write(pipe[1], content)
    os.close(pipe[1])
    with pytest.raises(BrokenLineError):
        receive(pipe[0])


def test_waiting_ends_at_the_deadline(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"n\0\0")
    with pytest.raises(LateError):
        receive(pipe[0], time.monotonic() + 0.05)


def test_writing_to_one_who_does_not_read_ends_at_the_deadline(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    with pytest.raises(LateError):
        send(pipe[1], Frame.NOTE, bytes(1 << 20), time.monotonic() + 0.05)


def test_parts_are_found_again() -> None:
    parts = [b"", b"one", bytes(300)]
    assert parted(joined(parts)) == parts


@pytest.mark.parametrize("content", [b"\0\0", b"\0\0\0\5abc"])
def test_lengths_that_do_not_fit_are_refused(content: bytes) -> None:
    with pytest.raises(BrokenLineError):
        parted(content)


_FAMILY = """
import os, time
from rocm_pipeline.integration.inside.family import end_all, harden
harden()
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    try:
        open(f"/proc/{os.getppid()}/mem", "rb")
    except PermissionError:
        os.write(writing, b"closed ")
    else:
        os.write(writing, b"open ")
    os.setsid()
    if os.fork() == 0:
        os.write(writing, b"%d" % os.getpid())
        time.sleep(60)
    os._exit(0)
os.waitpid(child, 0)
os.close(writing)
time.sleep(0.05)
end_all()
told = os.read(reading, 100).decode()
closed, daemon = told.split()
print(closed, os.path.exists(f"/proc/{daemon}"))
"""


def test_a_daemon_dies_and_the_checking_process_is_closed_to_its_children() -> None:
    """In a process of its own, because hardening cannot be undone."""
    done = subprocess.run(
        [sys.executable, "-c", _FAMILY], capture_output=True, text=True, timeout=60, check=False
    )
    # root may open any process's memory; nothing in the sandbox is root
    memory = "closed" if os.geteuid() else "open"
    assert done.stdout.split() == [memory, "False"], done.stderr
