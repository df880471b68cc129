"""Redacts a stream: a secret may be cut in two anywhere between what arrives."""

from rocm_pipeline.redaction.redactor import Redactor, replaced

WINDOW = 4096
"""Bytes that are held back at least, until more or the end has come."""


class RedactingStream:
    """Takes bytes as they come and gives back what can no longer be part of a secret."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._window = max(WINDOW, 4 * redactor.known.longest)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what is safe to write after `data` has come."""
        self._held += data
        if len(self._held) < 2 * self._window:
            return b""
        spans = self._redactor.spans(self._held)
        cut = len(self._held) - self._window
        cut = next((start for start, end in spans if start < cut < end), cut)
        ready = replaced(self._held[:cut], [span for span in spans if span[1] <= cut])
        self._held = self._held[cut:]
        return ready

    def end(self) -> bytes:
        """Return the rest."""
        rest = self._redactor.data(self._held)
        self._held = b""
        return rest
