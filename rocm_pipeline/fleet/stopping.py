"""Ends a call from another thread."""

import asyncio
import threading


class Stop:
    """Set by whoever no longer wants the answer; the call then ends as CANCELLED."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None
        self.is_set = False

    def set(self) -> None:
        """End the call, now or as soon as it begins."""
        with self._lock:
            self.is_set = True
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)

    def bind(self) -> None:
        """Called within the task that is to be ended."""
        with self._lock:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            if self.is_set and self._task is not None:
                self._task.cancel()

    def unbind(self) -> None:
        """Called within the task, before its loop ends."""
        with self._lock:
            self._loop = self._task = None
