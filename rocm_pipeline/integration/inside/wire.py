"""Frames on a pipe: one letter, a length, that many bytes.

Between the process that checks, the one that holds the operator and the one that holds its
kernels. Nothing that arrives is executed or unpickled, and lengths are bounded.
"""

import os
import select
import struct
import time
from collections.abc import Iterable
from enum import Enum

MAX_FRAME = 128 << 20
_HEADER = struct.Struct(">cI")
_LENGTH = struct.Struct(">I")
_PART = 1 << 16


class Frame(bytes, Enum):
    """What a frame holds."""

    NOTE = b"n"
    """UTF-8: what is about to be done."""
    CALL = b"c"
    """UTF-8: name of the call whose launches follow."""
    ARRAY = b"a"
    """UTF-8 name, a line feed, a `.npy` file."""
    LAUNCH = b"l"
    """JSON of the values, a line feed, `.npy` files of the tensors."""
    ANSWER = b"r"
    """`joined` `.npy` files of the outputs."""
    FAILED = b"e"
    """UTF-8: why a launch gave no outputs."""
    RESULT = b"z"
    """JSON of a CheckResult."""


class BrokenLineError(Exception):
    """The other end sent something that is no frame."""


class LateError(Exception):
    """The deadline passed."""


def send(fd: int, kind: Frame, payload: bytes, deadline: float | None = None) -> None:
    """Write one frame; with a deadline (`time.monotonic`) `fd` must not block."""
    content = memoryview(_HEADER.pack(kind.value, len(payload)) + payload)
    while content:
        _wait(fd, deadline, writing=True)
        try:
            content = content[os.write(fd, content[:_PART]) :]
        except BlockingIOError:
            continue


def receive(fd: int, deadline: float | None = None) -> tuple[Frame, bytes] | None:
    """Read one frame; None at the end of the stream. Raises BrokenLineError and LateError."""
    header = _exactly(fd, _HEADER.size, deadline)
    if header is None:
        return None
    letter, length = _HEADER.unpack(header)
    if letter not in set(Frame) or length > MAX_FRAME:
        raise BrokenLineError("not a frame")
    payload = _exactly(fd, length, deadline)
    if payload is None:
        raise BrokenLineError("a frame is cut off")
    return Frame(letter), payload


def joined(parts: Iterable[bytes]) -> bytes:
    """Put parts together so that `parted` finds them again."""
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


def parted(content: bytes) -> list[bytes]:
    """Return the parts; BrokenLineError when the lengths do not fit."""
    parts: list[bytes] = []
    place = 0
    while place < len(content):
        begin = place + _LENGTH.size
        if begin > len(content):
            raise BrokenLineError("a length is cut off")
        place = begin + _LENGTH.unpack_from(content, begin - _LENGTH.size)[0]
        if place > len(content):
            raise BrokenLineError("a part is cut off")
        parts.append(content[begin:place])
    return parts


def _exactly(fd: int, size: int, deadline: float | None) -> bytes | None:
    content = bytearray()
    while len(content) < size:
        _wait(fd, deadline, writing=False)
        part = os.read(fd, min(_PART, size - len(content)))
        if not part:
            return None
        content += part
    return bytes(content)


def _wait(fd: int, deadline: float | None, *, writing: bool) -> None:
    if deadline is None:
        return
    left = deadline - time.monotonic()
    ready = select.select([] if writing else [fd], [fd] if writing else [], [], max(left, 0))
    if left <= 0 or not any(ready):
        raise LateError
