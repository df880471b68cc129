"""Finds where the keywords of the rules stand in a text, all of them in one pass."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from rocm_pipeline.redaction.rules import RULES, Rule

_GRAM = 3
"""Bytes of a keyword that are looked for first; no keyword is shorter."""
_MASK = np.uint32(0xFFFFFF)
_MULTIPLIER = np.uint32(0x9E3779B1)
_SHIFT = np.uint32(16)


def places(data: bytes) -> Iterator[tuple[int, tuple[Rule, ...]]]:
    """Yield each index of `data` where a keyword begins, with its rules; in order."""
    lowered = data.lower() + b"\0"
    count = len(lowered) - _GRAM
    if count <= 0:
        return
    words = np.ndarray(count, dtype="<u4", buffer=lowered, strides=(1,)).copy()
    slots = ((words & _MASK) * _MULTIPLIER) >> _SHIFT
    by_gram = _by_gram()
    for hit in np.flatnonzero(_table()[slots]):
        place = int(hit)
        found = tuple(
            rule
            for keyword, rule in by_gram.get(lowered[place : place + _GRAM], ())
            if lowered.startswith(keyword, place)
        )
        if found:
            yield place, found


@cache
def _by_gram() -> dict[bytes, list[tuple[bytes, Rule]]]:
    table: dict[bytes, list[tuple[bytes, Rule]]] = {}
    for rule in RULES:
        for keyword in rule.keywords:
            table.setdefault(keyword.encode()[:_GRAM], []).append((keyword.encode(), rule))
    return table


@cache
def _table() -> Any:
    table = np.zeros(1 << 16, dtype=bool)
    grams = np.array([int.from_bytes(gram, "little") for gram in _by_gram()], dtype=np.uint32)
    table[(grams * _MULTIPLIER) >> _SHIFT] = True
    return table
