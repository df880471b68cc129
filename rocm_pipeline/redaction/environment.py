"""Which variables of an environment hold a secret."""

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

_SECRET_NAME = re.compile(
    r"(?:(?:^|_)(?:KEY|PAT|PASS|COOKIES?|CREDS?|DSN|WEBHOOKS?(?:_UR[IL])?"
    r"|AUTH(?:_(?:BASIC|CONFIG|DATA|HEADERS?|INFO|JSON|STRING))?"
    r"|(?:API|ACCESS|AUTH|PRIVATE|SECRET|SIGNING|ENCRYPTION|ACCOUNT)_?(?:KEY|TOKEN)S?)"
    # no ordinary word ends with these, so that nothing must stand between them and a prefix
    r"|APIKEY|TOKEN|SECRETS?|PASSWORDS?|PASSWD|PASSPHRASE|CREDENTIALS?|CONNECTION_?STRING|SSHPASS"
    r"|(?<=[A-Z0-9])_PWD)"  # PWD and OLDPWD are folders
    r"(?:_ID|_BASE64|_B64|_\d+)?$",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/@:]*:([^\s/@]+)@")
_IN_PAIRS = re.compile(
    r"\b(?:password|passwd|pwd|accountkey|sharedaccesskey)="
    r"(?:'([^']+)'|\"([^\"]+)\"|([^\s;&\"']+))",
    re.IGNORECASE,
)
_AFTER_HOST = re.compile(r"https?://[^\s/?#]+[/?](\S+)")
"""Of a URL that is a secret this part alone stands in the logs of HTTP clients."""
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
    """Return the secrets by the names of variables, and passwords within the values of any."""
    names: list[str] = []
    weak: list[str] = []
    values: set[str] = set()
    for name, value in sorted(environment.items()):
        held = _passwords(value)
        if _SECRET_NAME.search(name) and value and not _is_path(value):
            held |= _and_parts(value.strip())
        strong = {secret for secret in held if is_strong(secret)}
        values |= strong
        if strong:
            names.append(name)
        elif held:
            weak.append(name)
    return Found(tuple(names), frozenset(values), tuple(weak))


def _passwords(value: str) -> set[str]:
    """Return the passwords of URLs and of connection strings in `value`."""
    pairs = (part for parts in _IN_PAIRS.findall(value) for part in parts if part)
    found = (*_IN_URL.findall(value), *pairs)
    return {part for password in found for part in (password, unquote(password))}


def _and_parts(value: str) -> set[str]:
    """Return a secret and what of it may stand elsewhere alone."""
    return {value, *_AFTER_HOST.findall(value), *_members(value)}


def _members(value: str) -> frozenset[str]:
    """Return what is named like a secret in a JSON object: registries and clouds take such."""
    if not value.startswith("{"):
        return frozenset()
    found = set[str]()

    def note(pairs: list[tuple[str, object]]) -> None:
        texts = {key: inner for key, inner in pairs if isinstance(inner, str)}
        found.update(find(texts).values)

    with contextlib.suppress(ValueError, RecursionError):
        json.loads(value, object_pairs_hook=note)
    return frozenset(found)


def is_strong(value: str) -> bool:
    """Say whether `value` is no ordinary word: those would be blotted out all over the place."""
    if len(value) < SHORTEST_SECRET:
        return False
    kinds = sum(bool(pattern.search(value)) for pattern in _CLASSES)
    return kinds >= 2 or len(value) >= LONG_ENOUGH


def _is_path(value: str) -> bool:
    return value.startswith(("/", "~", "./")) and os.path.exists(os.path.expanduser(value))
