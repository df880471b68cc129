# pyright: basic, reportMissingImports=false
"""One process for each check, and one for the kernels that it launches.

The operator is imported only in processes forked here, so that whatever it does to itself or to
PyTorch ends with its own check. Such a process writes no file that counts: it tells this one over
a pipe, and this one keeps everything until nothing else is alive.
"""

import io
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from torch import Tensor

from rocm_pipeline.integration.inside import kernels
from rocm_pipeline.integration.inside.family import end_all, keep_only, leave
from rocm_pipeline.integration.inside.wire import (
    BrokenLineError,
    Frame,
    LateError,
    parted,
    receive,
    send,
)
from rocm_pipeline.integration.job import MAX_MESSAGE, Check, CheckResult, Ended, Job

MAX_KEPT = 512 << 20
"""Bytes of arrays that one check may leave."""


class Line:
    """How the operator's process talks to the one that checks it."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing

    def note(self, text: str) -> None:
        """Tell what is about to be done; the last note is in the message of a crash."""
        send(self._writing, Frame.NOTE, text.encode())

    def call(self, name: str) -> None:
        """Name the call whose launches follow."""
        send(self._writing, Frame.CALL, name.encode())

    def array(self, name: str, tensor: Tensor) -> None:
        """Leave a raw array for the harness to judge."""
        stream = io.BytesIO()
        np.save(stream, tensor.detach().numpy(), allow_pickle=False)
        send(self._writing, Frame.ARRAY, name.encode() + b"\n" + stream.getvalue())

    def launch(self, request: bytes) -> bytes:
        """Have the kernels run; raises LaunchFailedError."""
        send(self._writing, Frame.LAUNCH, request)
        answer = receive(self._reading)
        if answer is None:
            raise kernels.LaunchFailedError("nobody answers")
        if answer[0] is Frame.FAILED:
            raise kernels.LaunchFailedError(answer[1].decode())
        return answer[1]

    def result(self, result: CheckResult) -> None:
        """Say the last word."""
        send(self._writing, Frame.RESULT, result.model_dump_json().encode())


@dataclass
class Told:
    """All that came over the line, and what the kernels answered; names to contents."""

    notes: list[str] = field(default_factory=list)
    arrays: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, bytes] = field(default_factory=dict)
    """By `<call>_<output>`; the last launch of a call counts."""
    result: bytes | None = None

    @property
    def size(self) -> int:
        return sum(map(len, (*self.arrays.values(), *self.answers.values())))


@dataclass(frozen=True)
class Places:
    """Where one package and the build of its kernels lie."""

    packages: Path
    libraries: Path


Action = Callable[[Line], CheckResult]


def in_own_process(
    check: Check, job: Job, places: Places, action: Action
) -> tuple[CheckResult, Told]:
    """Run `action` in a forked process; when it ends, nothing that was started for it lives."""
    told = Told()
    reading, child_writing = os.pipe()
    child_reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        keep_only(child_reading, child_writing)
        _child(check, action, Line(child_reading, child_writing))
    os.close(child_reading)
    os.close(child_writing)
    deadline = time.monotonic() + job.seconds_per_check
    problem: Ended | None = None
    with _Kernels(job, places) as server:
        try:
            _listen(told, server, reading, writing, deadline)
        except LateError:
            problem = Ended.TIMEOUT
        except (BrokenLineError, UnicodeDecodeError, BrokenPipeError):
            problem = Ended.SILENT
        if problem:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)
    end_all()
    return _ending(check, told, problem, status, job.seconds_per_check), told


def _child(check: Check, action: Action, line: Line) -> None:
    try:
        result = action(line)
    except BaseException as error:
        message = f"{type(error).__name__}: {error}"[:MAX_MESSAGE]
        result = CheckResult(check=check, ended=Ended.RAISED, message=message)
    line.result(result)
    leave()


class _Kernels:
    """The process of the kernels; started by the first launch."""

    def __init__(self, job: Job, places: Places) -> None:
        self._job, self._places = job, places
        self._pipes: tuple[int, int] | None = None

    def __enter__(self) -> "_Kernels":
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._pipes or ():
            os.close(fd)

    def answer(self, request: bytes, deadline: float) -> tuple[Frame, bytes]:
        """Pass a launch on; a process that dies of it is started anew for the next."""
        reading, writing = self._pipes or self._start()
        try:
            send(writing, Frame.LAUNCH, request, deadline)
            answer = receive(reading, deadline)
        except (BrokenPipeError, BrokenLineError):
            answer = None
        if answer is None:
            self.__exit__()
            self._pipes = None
            return Frame.FAILED, b"the kernel died"
        if answer[0] is not Frame.ANSWER:
            return Frame.FAILED, answer[1]
        return answer

    def named(self, call: str, answer: bytes) -> dict[str, bytes]:
        """Return the parts of an answer under the names by which the harness looks for them."""
        names = [f"{call}_{output}" for output in self._job.outputs]
        return dict(zip(names, parted(answer), strict=False))

    def _start(self) -> tuple[int, int]:
        reading, server_writing = os.pipe()
        server_reading, writing = os.pipe()
        if os.fork() == 0:
            try:
                kernels.serve(
                    self._job,
                    self._places.packages,
                    self._places.libraries,
                    server_reading,
                    server_writing,
                )
            finally:
                leave()
        os.close(server_reading)
        os.close(server_writing)
        os.set_blocking(writing, False)
        self._pipes = (reading, writing)
        return self._pipes


def _listen(told: Told, server: _Kernels, reading: int, writing: int, deadline: float) -> None:
    call = ""
    os.set_blocking(writing, False)
    while (frame := receive(reading, deadline)) is not None:
        kind, payload = frame
        if kind is Frame.NOTE:
            told.notes.append(payload.decode().replace("\n", " ")[:MAX_MESSAGE])
        elif kind is Frame.CALL:
            call = payload.decode()
        elif kind is Frame.ARRAY:
            name, _, content = payload.partition(b"\n")
            told.arrays[name.decode()] = content
        elif kind is Frame.LAUNCH:
            kind, answer = server.answer(payload, deadline)
            if kind is Frame.ANSWER:
                told.answers |= server.named(call, answer)
            send(writing, kind, answer, deadline)
        elif kind is Frame.RESULT:
            told.result = payload
            return
        if told.size > MAX_KEPT:
            raise BrokenLineError("too much")


def _ending(
    check: Check, told: Told, problem: Ended | None, status: int, seconds: float
) -> CheckResult:
    during = f" during: {told.notes[-1]}" if told.notes else ""
    if problem is Ended.TIMEOUT:
        message = f"took more than {seconds:g} s{during}"
        return CheckResult(check=check, ended=Ended.TIMEOUT, message=message)
    if problem is None and told.result is not None:
        try:
            result = CheckResult.model_validate_json(told.result)
        except ValidationError:
            problem = Ended.SILENT
        else:
            return result if result.check is check else _nonsense(check, during)
    if problem is Ended.SILENT:
        return _nonsense(check, during)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return CheckResult(check=check, ended=Ended.SIGNAL, message=f"died of {name}{during}")
    code = os.waitstatus_to_exitcode(status)
    return CheckResult(
        check=check, ended=Ended.SILENT, message=f"ended by itself with code {code}{during}"
    )


def _nonsense(check: Check, during: str) -> CheckResult:
    return CheckResult(
        check=check, ended=Ended.SILENT, message=f"sent what is no message of a check{during}"
    )
