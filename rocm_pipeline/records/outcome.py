"""How a call to a model can end: the closed list, shared by every provider."""

from enum import Enum


class Outcome(str, Enum):
    """Status of an Attempt."""

    PENDING = "PENDING"
    """The intent is written; the answer is not in yet."""
    OK = "OK"
    UNKNOWN = "UNKNOWN"
    """Our process ended between intent and answer: the call may have happened and been paid."""
    UNREACHABLE = "UNREACHABLE"
    TIMEOUT = "TIMEOUT"
    INCOMPLETE = "INCOMPLETE"
    """The stream ended without its final record."""
    TRUNCATED = "TRUNCATED"
    """The answer hit the token limit; a partial file is never used."""
    TRUNCATED_PROMPT = "TRUNCATED_PROMPT"
    """The model did not see the whole prompt."""
    EMPTY = "EMPTY"
    MODEL_MISSING = "MODEL_MISSING"
    WRONG_MODEL = "WRONG_MODEL"
    SERVER_BUSY = "SERVER_BUSY"
    SERVER_ERROR = "SERVER_ERROR"
    RATE_LIMITED = "RATE_LIMITED"
    REFUSED = "REFUSED"
    INVALID = "INVALID"
    """An answer came, but not in the form that was asked for."""
    CANCELLED = "CANCELLED"
