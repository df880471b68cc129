"""Processes that are killed, one after the other."""

import os
import signal
import subprocess
import threading
from collections import Counter

from tests.planning.claude.mortal import Order


class Mortals:
    """Runs orders in processes of their own, one after the other, and kills them."""

    def __init__(self, helper: "subprocess.Popen[str]") -> None:
        self._helper = helper
        self._pid = 0
        self._is_known = threading.Event()
        self.kills: Counter[str] = Counter()

    def run(self, order: Order, *, lives: float | None = None) -> bool:
        """Run an order; with `lives` it is killed after so many seconds. True: it got through."""
        assert self._helper.stdin is not None
        assert self._helper.stdout is not None
        self._is_known.clear()
        self._helper.stdin.write(order.model_dump_json() + "\n")
        self._helper.stdin.flush()
        self._pid = int(self._helper.stdout.readline())
        self._is_known.set()
        end = threading.Timer(lives, self.kill) if lives is not None else None
        if end is not None:
            end.start()
        code = int(self._helper.stdout.readline())
        if end is not None:
            end.cancel()
            end.join()
        assert code in (0, -signal.SIGKILL)
        return code == 0

    def kill(self) -> None:
        """Kill the process that runs."""
        self._is_known.wait(10)
        try:
            os.kill(self._pid, signal.SIGKILL)
        except ProcessLookupError:
            return
