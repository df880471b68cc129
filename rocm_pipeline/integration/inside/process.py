"""One process for each check.

The operator is imported only in processes forked here, so that whatever it does to itself or to
PyTorch ends with its own check, and this process can still say how it ended.
"""

import os
import select
import signal
import time
from collections.abc import Callable

from rocm_pipeline.integration.job import MAX_MESSAGE, Check, CheckResult, Ended

_MAX_ANSWER = 64 << 10


def in_own_process(
    check: Check, action: Callable[[Callable[[str], None]], CheckResult], seconds: float
) -> CheckResult:
    """Run `action(note)` in a forked process; `note` tells what it is about to do.

    The last note is in the message when the process dies or takes longer than `seconds`.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(check, action, writing)
    os.close(writing)
    text, timed_out = _read(reading, time.monotonic() + seconds)
    if timed_out:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return _judge(check, text, timed_out, status, seconds)


def _child(
    check: Check, action: Callable[[Callable[[str], None]], CheckResult], writing: int
) -> None:
    def say(kind: str, text: str) -> None:
        os.write(writing, f"{kind}{text}\n".encode())

    try:
        result = action(lambda text: say("note ", text.replace("\n", " ")))
    except BaseException as error:
        message = f"{type(error).__name__}: {error}"[:MAX_MESSAGE]
        result = CheckResult(check=check, ended=Ended.RAISED, message=message)
    say("result ", result.model_dump_json())
    os._exit(0)


def _read(reading: int, deadline: float) -> tuple[str, bool]:
    content = b""
    while len(content) < _MAX_ANSWER:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            os.close(reading)
            return content.decode(errors="replace"), True
        part = os.read(reading, 4096)
        if not part:
            break
        content += part
    os.close(reading)
    return content.decode(errors="replace"), False


def _judge(check: Check, text: str, timed_out: bool, status: int, seconds: float) -> CheckResult:
    lines = text.splitlines()
    notes = [line.removeprefix("note ") for line in lines if line.startswith("note ")]
    during = f" during: {notes[-1][:MAX_MESSAGE]}" if notes else ""
    if timed_out:
        return CheckResult(
            check=check, ended=Ended.TIMEOUT, message=f"took more than {seconds:g} s{during}"
        )
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return CheckResult(check=check, ended=Ended.SIGNAL, message=f"died of {name}{during}")
    if lines and lines[-1].startswith("result "):
        return CheckResult.model_validate_json(lines[-1].removeprefix("result "))
    code = os.waitstatus_to_exitcode(status)
    return CheckResult(
        check=check, ended=Ended.SILENT, message=f"ended by itself with code {code}{during}"
    )
