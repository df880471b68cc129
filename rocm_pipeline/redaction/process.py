"""What this process knows of secrets, and the places where everything it says passes through.

`install` is called first thing by every process of the pipeline: it takes fingerprints of the
secrets in the environment and puts the redactor into the logging, SQL and error paths. `withhold`
then takes the secrets themselves out of the environment, so that no process started later inherits
one; they inherit the fingerprints.
"""

import contextlib
import io
import logging
import os
import sys
import traceback
from collections.abc import Collection, Generator, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, TextIO

from sqlalchemy import event
from sqlalchemy.engine import Engine

from rocm_pipeline.redaction.cutting import clean_with
from rocm_pipeline.redaction.environment import Found, find
from rocm_pipeline.redaction.fingerprints import Fingerprints
from rocm_pipeline.redaction.redactor import Redactor

FINGERPRINTS_VARIABLE = "ROCM_PIPELINE_FINGERPRINTS"
"""Holds what the parent process knew; a variable, so that it never is on a disk."""
MOST_FINGERPRINTS = 130_000
"""Characters; Linux starts no process with a variable longer than 128 KiB, its name included."""


class TooManySecretsError(ValueError):
    """The environment holds more secrets than one variable can hold fingerprints of."""


class OutputLostError(BaseException):
    """A standard stream can no longer be written; its cause is the OSError.

    No Exception, as KeyboardInterrupt is none: nothing on the way up can go on without its output,
    and none of it may take this for an error of a file of its own.
    """

    def __init__(self, stream: str, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.stream = stream


class _State:
    """The redactor of this process; replaced, never changed."""

    redactor = Redactor()
    is_installed = False


def redactor() -> Redactor:
    """Return the redactor of this process."""
    return _State.redactor


def clean_text(text: str) -> str:
    """Return `text` without secrets. What is stored, shown or sent passes through here."""
    return _State.redactor.text(text)


def clean_bytes(data: bytes) -> bytes:
    """Return `data` without secrets."""
    return _State.redactor.data(data)


def learn(environment: Mapping[str, str]) -> Found:
    """Add the secrets of `environment`, and the fingerprints that it hands on, to what is known."""
    handed_on = environment.get(FINGERPRINTS_VARIABLE)
    known = Fingerprints.load(handed_on) if handed_on else _State.redactor.known
    if known.salt == _State.redactor.known.salt:
        known |= _State.redactor.known
    own = {name: value for name, value in environment.items() if name != FINGERPRINTS_VARIABLE}
    found = find(own)
    if found.values:
        known |= Fingerprints.of(found.values, known.salt)
    _State.redactor = Redactor(known)
    return found


def install() -> Found:
    """Learn this process's environment and redact logs, SQL and uncaught errors from now on."""
    found = learn(os.environ)
    if not _State.is_installed:
        _State.is_installed = True
        clean_with(clean_text)
        _redact_log_records()
        event.listen(Engine, "before_cursor_execute", _redact_statement, retval=True)
        sys.excepthook = _excepthook
    return found


def withhold(handed_on: Collection[str] = ()) -> tuple[str, ...]:
    """Take the secrets out of the environment for every later process; return their names.

    Variables in `handed_on` stay, for a process that needs them; they are watched for all the same.
    Raises `TooManySecretsError` when no variable can hold the fingerprints of all.
    """
    found = install()
    fingerprints = _State.redactor.known.dump()
    if len(fingerprints) > MOST_FINGERPRINTS:
        raise TooManySecretsError(
            f"the environment holds {len(found.values)} secrets, more than can be watched for"
        )
    os.environ[FINGERPRINTS_VARIABLE] = fingerprints
    taken = tuple(name for name in found.names if name not in handed_on)
    for name in taken:
        del os.environ[name]
    return taken


@contextlib.contextmanager
def clean_terminal() -> Generator[None, None, None]:
    """Redact what is printed while the block runs, all of which is written when it ends.

    Raises `OutputLostError` when it cannot be; the rest of what is printed goes nowhere then.
    """
    streams = sys.stdout, sys.stderr
    sys.stdout = CleanStream("standard output", streams[0])
    sys.stderr = CleanStream("standard error", streams[1])
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        sys.stdout, sys.stderr = streams


class CleanStream(io.TextIOBase):
    """A terminal or file that each write reaches redacted."""

    def __init__(self, name: str, inner: TextIO) -> None:
        self._name = name
        self._inner = inner

    def write(self, text: str, /) -> int:
        with self._lost_as_such():
            self._inner.write(clean_text(text))
        return len(text)

    def flush(self) -> None:
        with self._lost_as_such():
            self._inner.flush()

    @contextlib.contextmanager
    def _lost_as_such(self) -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            # what is buffered would fail once more when Python ends
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._inner.fileno())
            os.close(nowhere)
            raise OutputLostError(self._name, error) from error

    def isatty(self) -> bool:
        return self._inner.isatty()

    def fileno(self) -> int:
        return self._inner.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._inner.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._inner.errors


def _redact_log_records() -> None:
    """A filter would only see the records of its own logger; every record is made here.

    A logger adds its caller's `extra=` after the factory, so that its own method is wrapped, too.
    """
    make_bare, make = logging.getLogRecordFactory(), logging.Logger.makeRecord

    def clean_bare(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return _with_clean_message(make_bare(*args, **kwargs))

    def clean(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return _with_clean_fields(make(*args, **kwargs))

    logging.setLogRecordFactory(clean_bare)
    logging.Logger.makeRecord = clean


def _with_clean_message(record: logging.LogRecord) -> logging.LogRecord:
    with contextlib.suppress(TypeError, ValueError):  # a wrong format is logging's to report
        message = record.getMessage()
        cleaned = clean_text(message)
        if cleaned != message:
            record.msg, record.args = cleaned, ()
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = clean_text("".join(traceback.format_exception(*record.exc_info)))
    return record


def _with_clean_fields(record: logging.LogRecord) -> logging.LogRecord:
    """Clean the rest: names of logger, thread and process, paths, and what a caller added."""
    for name, value in vars(record).items():
        if name not in _CLEAN_ALREADY:
            is_text = isinstance(value, str)
            setattr(record, name, _clean_name(value) if is_text else clean_value(value))
    return record


_CLEAN_ALREADY = ("msg", "args", "exc_info", "exc_text")
_LONGEST_NAME = 4000


def _clean_name(text: str) -> str:
    """Return `text` redacted, where the same few come again and again: names, SQL statements."""
    if len(text) > _LONGEST_NAME:
        return clean_text(text)
    return _remembered(_State.redactor, text)


@lru_cache(maxsize=1024)
def _remembered(redactor: Redactor, text: str) -> str:
    return redactor.text(text)


def _redact_statement(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    return _clean_name(statement), clean_value(parameters)


def clean_value(value: Any) -> Any:
    """Return `value` with every text and all bytes in it redacted; what is no plain data stays."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        clean = clean_bytes(data)
        return value if clean == data else clean
    if isinstance(value, dict):
        return {clean_value(key): clean_value(inner) for key, inner in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(clean_value(inner) for inner in value)
    return value


def _excepthook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    text = "".join(traceback.format_exception(kind, error, trace))
    sys.stderr.write(clean_text(text))
