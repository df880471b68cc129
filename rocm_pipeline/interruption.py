"""How the command is stopped: by Ctrl-C (SIGINT) or by SIGTERM.

Both raise in the main thread, so that what is under way is ended and what it made is cleaned up on
the way out. No signal reaches other threads, and the main one waits for them: what takes them long
calls `go_on` as it goes.
"""

import contextlib
import os
import signal
from types import FrameType

from rocm_pipeline.errors import EXIT_TERMINATED

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _State:
    is_stopped = False
    arrived: int | None = None
    """Where the number of each signal can be read as soon as it arrives."""


def stop_on_signals() -> None:
    """Begin to heed them; a signal that whoever started the command lets it ignore stays so."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    _State.arrived, written = os.pipe()
    os.set_blocking(_State.arrived, False)
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)


def go_on() -> None:
    """Raise KeyboardInterrupt, in any thread, once the command was told to stop."""
    if _State.is_stopped or _has_arrived():
        _State.is_stopped = True
        raise KeyboardInterrupt


def _has_arrived() -> bool:
    """Say whether a signal came, maybe one that the main thread has yet to see.

    One that comes just before it begins to wait for others does not wake it, so `_stop` is not
    called before these others end.
    """
    if _State.arrived is None:
        return False
    with contextlib.suppress(BlockingIOError):
        return any(number in _SIGNALS for number in os.read(_State.arrived, 64))
    return False


def _stop(number: int, _: FrameType | None) -> None:
    _State.is_stopped = True
    if number == signal.SIGTERM:
        raise SystemExit(EXIT_TERMINATED)
    raise KeyboardInterrupt
