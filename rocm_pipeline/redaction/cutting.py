"""Cuts texts that are too long: redaction comes first, since half a secret is found by nobody."""

from collections.abc import Callable


def _as_it_is(text: str) -> str:
    return text


class _State:
    """How this process redacts. `process` sets it: what runs in the sandbox never loads that."""

    clean: Callable[[str], str] = staticmethod(_as_it_is)


def clean_with(clean: Callable[[str], str]) -> None:
    """Redact with `clean` from now on whatever is cut."""
    _State.clean = staticmethod(clean)


def cut(text: str, longest: int, end: str = "\u2026") -> str:
    """Return `text`, redacted and cut to `longest` characters where it has more."""
    if len(text) > longest:
        text = _State.clean(text)
    return text if len(text) <= longest else text[: longest - len(end)] + end
