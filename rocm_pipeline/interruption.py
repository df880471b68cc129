"""How the command is stopped: by Ctrl-C (SIGINT) or by SIGTERM.

Both raise in the main thread, so that what is under way is ended and what it made is cleaned up on
the way out. No signal reaches other threads, and the main one waits for them: what takes them long
calls `go_on` as it goes.
"""

import signal
from types import FrameType

from rocm_pipeline.errors import EXIT_TERMINATED


class _State:
    is_stopped = False


def stop_on_signals() -> None:
    """Begin to heed them; a signal that whoever started the command lets it ignore stays so."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def go_on() -> None:
    """Raise KeyboardInterrupt, in any thread, once the command was told to stop."""
    if _State.is_stopped:
        raise KeyboardInterrupt


def _stop(number: int, _: FrameType | None) -> None:
    _State.is_stopped = True
    if number == signal.SIGTERM:
        raise SystemExit(EXIT_TERMINATED)
    raise KeyboardInterrupt
