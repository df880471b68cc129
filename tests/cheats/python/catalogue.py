"""Planted PyTorch operators: each cheats in one way, and has an honest neighbour.

Cheats with `by_source` are refused before anything of them runs; `behind` says what finds the same
code when that rule is blind. The others keep every rule for the source and are found by running
them.
"""

from tests.cheats.python import elsewhere, escape, numerics, output, reach, timing
from tests.cheats.python.planted import Planted

PLANTED: tuple[Planted, ...] = (
    *output.CHEATS,
    *numerics.CHEATS,
    *timing.CHEATS,
    *elsewhere.CHEATS,
    *escape.CHEATS,
    *reach.CHEATS,
)

NUMBERS: frozenset[int] = frozenset({planted.number for planted in PLANTED} | {38, 39})
"""Entries of the catalogue with a cheat in this folder; 38 and 39 are in `test_words.py`."""
