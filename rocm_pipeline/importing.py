"""Importing much at once."""

import gc


class WithoutCollector:
    """Imports in its block are not looked through for garbage, then or later.

    What is imported lives as long as the process: looking through it took a fifth of the time of
    importing, and again as much at the end of the process.
    """

    def __enter__(self) -> None:
        self._was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.freeze()
        if self._was_enabled:
            gc.enable()
