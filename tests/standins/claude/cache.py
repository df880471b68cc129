"""The prompt cache: prefixes that end at a cache_control mark, kept for as long as it says."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from tests.standins.claude.request import LONG_LIVED, Request
from tests.standins.claude.tally import Charge

LOOK_BACK = 20
"""So many blocks before a mark, a prefix that was written earlier is still found."""


class PromptCache:
    """Which prefixes of which model are kept until when.

    A prefix shorter than `minimum` tokens is silently not cached. Reading one renews it.
    """

    def __init__(self, minimum: int, clock: Callable[[], float]) -> None:
        self._minimum = minimum
        self._clock = clock
        self._kept: dict[str, tuple[float, float]] = {}
        """Until when, and for how long from each use."""

    def charge(self, request: Request) -> Charge:
        """Return what the prompt costs now, and keep its marked prefixes for the next one."""
        blocks = request.blocks
        keys = _keys(request)
        ends = _ends([block.tokens for block in blocks])
        marks = [
            index
            for index, block in enumerate(blocks)
            if block.ttl is not None and ends[index] >= self._minimum
        ]
        hit = self._longest_kept(marks, keys)
        done = 0 if hit is None else ends[hit]
        charge = Charge(read=done)
        for index in marks:
            lifetime = blocks[index].ttl or 0.0
            self._kept[keys[index]] = (self._clock() + lifetime, lifetime)
            new = max(0, ends[index] - done)
            if lifetime == LONG_LIVED:
                charge = replace(charge, write_1h=charge.write_1h + new)
            else:
                charge = replace(charge, write_5m=charge.write_5m + new)
            done = max(done, ends[index])
        return replace(charge, fresh=ends[-1] - done)

    def _longest_kept(self, marks: list[int], keys: list[str]) -> int | None:
        now = self._clock()
        for mark in reversed(marks):
            for index in range(mark, max(-1, mark - LOOK_BACK), -1):
                until, lifetime = self._kept.get(keys[index], (0.0, 0.0))
                if until > now:
                    self._kept[keys[index]] = (now + lifetime, lifetime)
                    return index
        return None


def _keys(request: Request) -> list[str]:
    """The hash of each prefix, from one block to all of them."""
    digest = hashlib.sha256(request.model.encode())
    keys: list[str] = []
    for block in request.blocks:
        digest.update(hashlib.sha256(block.text.encode()).digest())
        keys.append(digest.hexdigest())
    return keys


def _ends(tokens: list[int]) -> list[int]:
    ends: list[int] = []
    total = 0
    for number in tokens:
        total += number
        ends.append(total)
    return ends
