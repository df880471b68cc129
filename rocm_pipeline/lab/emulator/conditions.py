"""What a run must not depend on, drawn anew for each: where memory lies, what it held before.

GPUs promise of a buffer's address that it is a multiple of 256; of leftovers in private memory they
promise nothing. All of it follows from one text, so a run can be repeated exactly.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

_PAGE = 4096
_ALIGNMENT = 256
"""Bytes; what hipMalloc promises at least."""
_MOST_GAP = 48
"""Pages between two buffers; at least one, which no buffer has, keeps an overrun from the next."""
_LARGEST_PAGE = 1 << 16
"""Of any kernel that the emulator runs on; what follows the buffers begins a page."""
_ALL_ONES = 0xFF
"""NaN in every floating type."""


@dataclass(frozen=True)
class Conditions:
    """Of one run."""

    begins: tuple[int, ...]
    """Where each buffer lies in the memory for all of them, in bytes; no two share a page."""
    total_bytes: int
    stacks_first: bool
    """Whether private memory lies below the buffers."""
    noise: tuple[int, ...]
    """The byte that private memory consists of at first, in each round."""


def draw_conditions(seed: str, sizes: Sequence[int], rounds: int, reverse: bool) -> Conditions:
    """Draw them for buffers of so many bytes; equal arguments give equal conditions.

    In the first round private memory holds NaN, or zeros in a run in reverse, later any byte.
    """
    rng = random.Random(seed)
    order = list(range(len(sizes)))
    rng.shuffle(order)
    begins = dict[int, int]()
    end = 0
    for buffer in order:
        page = -(-end // _PAGE) + rng.randint(1, _MOST_GAP)
        begins[buffer] = page * _PAGE + _ALIGNMENT * rng.randrange(1, _PAGE // _ALIGNMENT)
        end = begins[buffer] + max(sizes[buffer], 1)
    return Conditions(
        begins=tuple(begins[buffer] for buffer in range(len(sizes))),
        total_bytes=(end // _LARGEST_PAGE + 2) * _LARGEST_PAGE,
        stacks_first=rng.random() < 1 / 2,
        noise=(0 if reverse else _ALL_ONES, *(rng.randrange(256) for _ in range(rounds - 1))),
    )
