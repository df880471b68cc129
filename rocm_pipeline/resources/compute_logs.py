"""What steps print, kept by Dagster, with every secret taken out before it is on the disk.

Every process of Dagster opens the instance, and with it this module: here the redaction of logs and
statements is installed in each of them.
"""

import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, TextIO

from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import (
    IO_TYPE_EXTENSION,
    LocalComputeLogManager,
)
from dagster._serdes import ConfigurableClassData

from rocm_pipeline.redaction.process import install, redactor
from rocm_pipeline.redaction.stream import RedactingStream

_CHUNK = 1 << 16
_PATIENCE_SECONDS = 5.0
"""How long output is waited for that a step's surviving children might still send."""


class RedactedComputeLogManager(LocalComputeLogManager):
    """Files in the home, as Dagster's own manager keeps them, but redacted."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "RedactedComputeLogManager":
        install()
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        """Redirect the process's standard output and error, also those of its children."""
        out = self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[ComputeIOType.STDOUT])
        err = self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[ComputeIOType.STDERR])
        with _redirected(sys.stdout, Path(out)), _redirected(sys.stderr, Path(err)):
            yield CapturedLogContext(log_key)
        Path(self.complete_artifact_path(log_key)).touch()


@contextmanager
def _redirected(stream: TextIO, path: Path) -> Generator[None, None, None]:
    """Send what goes to the stream's file to `path` and, redacted too, where it went before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    target = _descriptor(stream)
    if target is None:
        yield
        return
    stream.flush()
    before = os.dup(target)
    reading, writing = os.pipe()
    copier = Thread(target=_copy, args=(reading, path, before), daemon=True)
    copier.start()
    os.dup2(writing, target)
    os.close(writing)
    try:
        yield
    finally:
        stream.flush()
        os.dup2(before, target)
        copier.join(_PATIENCE_SECONDS)


def _copy(reading: int, path: Path, before: int) -> None:
    stream = RedactingStream(redactor())
    with os.fdopen(reading, "rb", buffering=0) as source, path.open("ab", buffering=0) as file:
        places = [file.fileno(), before]
        while chunk := source.read(_CHUNK):
            _write(stream.feed(chunk), places)
        _write(stream.end(), places)
    os.close(before)


def _write(data: bytes, places: list[int]) -> None:
    """Write to each place; one that fails is left from then on: the step goes on printing."""
    for place in tuple(places):
        rest = data
        try:
            while rest:
                rest = rest[os.write(place, rest) :]
        except OSError:
            places.remove(place)


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None
