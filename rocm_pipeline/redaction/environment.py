"""Which variables of an environment hold a secret."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:(?:API|ACCESS|PRIVATE|SECRET|SIGNING|ENCRYPTION|ACCOUNT)?_?KEY|TOKEN|SECRET|"
    r"PASSWORD|PASSWD|PASSPHRASE|PWD_SECRET|CREDENTIALS?|PAT|AUTH|COOKIE)(?:_ID|_\d+)?$",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/@:]*:([^\s/@]+)@")
_CLASSES = (re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"[0-9]"))
SHORTEST_SECRET = 8
LONG_ENOUGH = 20
"""From this length on a value of one kind of character counts as a secret, too."""


@dataclass(frozen=True)
class Found:
    """Secrets of an environment. `names` are the variables that hold one."""

    names: tuple[str, ...]
    values: frozenset[str]
    weak: tuple[str, ...]
    """Variables named like a secret whose value cannot be told from an ordinary word or path."""


def find(environment: Mapping[str, str]) -> Found:
    """Return the secrets by the names of variables, and the passwords of URLs in any of them."""
    names: list[str] = []
    weak: list[str] = []
    values: set[str] = set()
    for name, value in sorted(environment.items()):
        held = {part for found in _IN_URL.findall(value) for part in (found, unquote(found))}
        if _SECRET_NAME.search(name) and value and not _is_path(value):
            held.add(value.strip())
        strong = {secret for secret in held if is_strong(secret)}
        values |= strong
        if strong:
            names.append(name)
        elif held:
            weak.append(name)
    return Found(tuple(names), frozenset(values), tuple(weak))


def is_strong(value: str) -> bool:
    """Say whether `value` is no ordinary word: those would be blotted out all over the place."""
    if len(value) < SHORTEST_SECRET:
        return False
    kinds = sum(bool(pattern.search(value)) for pattern in _CLASSES)
    return kinds >= 2 or len(value) >= LONG_ENOUGH


def _is_path(value: str) -> bool:
    return value.startswith(("/", "~", "./")) and os.path.exists(os.path.expanduser(value))
