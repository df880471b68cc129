"""Known secrets as salted fingerprints: they can be found in a text, but not be read back.

A process that was given fingerprints redacts without ever holding a key. Every 8 bytes of the
squeezed text are hashed to one of 2^18 slots; where a spelling of a secret has that slot, a keyed
64-bit BLAKE2b over its length decides.
"""

import base64
import secrets
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np

from rocm_pipeline.redaction.decoding import MOST_LEVELS, decoded
from rocm_pipeline.redaction.encodings import IS_KEPT, spellings, squeeze

_WORD = 8
_SLOT_BITS = 18
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - _SLOT_BITS)
_ENTRY = struct.Struct("3s3s8s")
"""Slot, length, digest: dense, because one variable of an environment must hold them all."""
_SALT_BYTES = 16
_KEPT = np.frombuffer(IS_KEPT, dtype=np.uint8).astype(bool)

Span = tuple[int, int]


@dataclass(frozen=True)
class Fingerprints:
    """Of every spelling of every secret: slot, length in bytes, digest."""

    salt: bytes
    entries: frozenset[tuple[int, int, bytes]]

    @classmethod
    def of(cls, values: Iterable[str], salt: bytes | None = None) -> "Fingerprints":
        """Return the fingerprints of `values`."""
        key = salt if salt is not None else secrets.token_bytes(_SALT_BYTES)
        words = {spelling for value in values for spelling in spellings(value)}
        return cls(
            key,
            frozenset(
                (_slot_of(word[:_WORD], key), len(word), _digest(word, key)) for word in words
            ),
        )

    @classmethod
    def load(cls, text: str) -> "Fingerprints":
        """Return what `dump` wrote."""
        data = base64.b64decode(text)
        starts = range(_SALT_BYTES, len(data), _ENTRY.size)
        packed = (_ENTRY.unpack_from(data, start) for start in starts)
        entries = frozenset(
            (_number(slot), _number(length), digest) for slot, length, digest in packed
        )
        return cls(data[:_SALT_BYTES], entries)

    def dump(self) -> str:
        """Return them as text, for the environment of other processes."""
        packed = (
            _ENTRY.pack(_bytes(s), _bytes(n), digest) for s, n, digest in sorted(self.entries)
        )
        return base64.b64encode(self.salt + b"".join(packed)).decode()

    def __or__(self, other: "Fingerprints") -> "Fingerprints":
        """Return both; they must share a salt."""
        if self.salt != other.salt:
            raise ValueError("fingerprints of different salts cannot be joined")
        return Fingerprints(self.salt, self.entries | other.entries)

    def spans(self, data: bytes) -> list[Span]:
        """Return where in `data` a spelling of a secret stands, in order, not overlapping."""
        if not self.entries:
            return []
        return merged(self._spans(data, MOST_LEVELS))

    def _spans(self, data: bytes, levels: int) -> list[Span]:
        found = self._found(data)
        inner = decoded(data) if levels else None
        if inner is not None:
            found += [inner.source(*span) for span in self._spans(inner.data, levels - 1)]
        return found

    def _found(self, data: bytes) -> list[Span]:
        squeezed = squeeze(data)
        found = [
            (start, start + length)
            for start, slot in self._candidates(squeezed)
            for length, digest in self._by_slot[slot]
            if len(squeezed) >= start + length
            and _digest(squeezed[start : start + length], self.salt) == digest
        ]
        if not found:
            return []
        places = np.flatnonzero(_KEPT[np.frombuffer(data, dtype=np.uint8)])
        return [(int(places[a]), int(places[b - 1]) + 1) for a, b in merged(found)]

    @cached_property
    def longest(self) -> int:
        """Squeezed bytes of the longest spelling."""
        return max((length for _, length, _ in self.entries), default=0)

    @cached_property
    def _by_slot(self) -> dict[int, list[tuple[int, bytes]]]:
        table: dict[int, list[tuple[int, bytes]]] = {}
        for slot, length, digest in self.entries:
            table.setdefault(slot, []).append((length, digest))
        return table

    @cached_property
    def _taken(self) -> Any:
        table = np.zeros(1 << _SLOT_BITS, dtype=bool)
        table[list(self._by_slot)] = True
        return table

    def _candidates(self, squeezed: bytes) -> list[tuple[int, int]]:
        count = len(squeezed) - _WORD + 1
        if count <= 0:
            return []
        # every word of 8 bytes, at each byte; copied, because sums on unaligned words are slow
        words = np.ndarray(count, dtype="<u8", buffer=squeezed, strides=(1,)).copy()
        slots = ((words ^ _salt_word(self.salt)) * _MULTIPLIER) >> _SHIFT
        hits = np.flatnonzero(self._taken[slots])
        return [(int(hit), int(slots[hit])) for hit in hits]


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return `spans` in order, those that touch as one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _bytes(number: int) -> bytes:
    return number.to_bytes(3, "big")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _salt_word(salt: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(salt[:_WORD], "little"))


def _slot_of(word: bytes, salt: bytes) -> int:
    value = int.from_bytes(word, "little") ^ int(_salt_word(salt))
    return ((value * int(_MULTIPLIER)) & 0xFFFFFFFFFFFFFFFF) >> int(_SHIFT)


def _digest(word: bytes, salt: bytes) -> bytes:
    return blake2b(word, key=salt, digest_size=8).digest()
