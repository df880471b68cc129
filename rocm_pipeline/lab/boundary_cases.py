"""Cases at the edges of a kernel's own tiles, whose sizes its source says.

A loop over whole tiles may be wrong only where a size is a multiple of the tile, or one beside it.
A tile of 24 or 96 is among no sizes that one would draw, but stands in the source as a number.
"""

import random
from collections.abc import Sequence

from rocm_pipeline.lab.cases import AWKWARD, Trial, variants
from rocm_pipeline.lab.source_tokens import Token, tokens
from rocm_pipeline.targets.subject import Case, Subject

MOST_CASES = 4
SMALLEST, LARGEST = 2, 1024
"""Of the numbers that may be the size of a tile: up to the work-items of a block."""
_SHARE = 8
"""Part of the target's operations that one case may have, as with a repeated one."""
_SMALL = 8
"""Largest size that takes the place of one that makes a case too large."""
_ATTEMPTS = 12
_NAMING = frozenset({"define", "constexpr", "const", "enum"})


def tile_sizes(source: str) -> tuple[int, ...]:
    """Return the numbers in `source` that may be sizes of tiles, the likeliest first.

    Those that are given a name come before others, and numbers that are no size drawn anyway come
    before those that are.
    """
    named: dict[int, None] = {}
    other: dict[int, None] = {}
    lines: dict[int, list[Token]] = {}
    for token in tokens(source):
        lines.setdefault(token.line, []).append(token)
    for line in lines.values():
        naming = any(token.text in _NAMING for token in line)
        place = named if naming else other
        for token in line:
            size = _number(token)
            if size is not None and SMALLEST <= size <= LARGEST:
                place.setdefault(size)
    both = [*named, *(size for size in other if size not in named)]
    return tuple(sorted(both, key=lambda size: (size not in named, size in AWKWARD)))


def boundary_trials(target: Subject, source: str, seed: int) -> list[Trial]:
    """Draw at most `MOST_CASES` small cases with sizes at the edges of the tiles in `source`.

    Multiples of a tile come first, for sizes beside one are mostly what others draw. Each symbol
    has each of the sizes once; it gives way to a small one where constraints, the symbol's range or
    the budget demand it.
    """
    if target.only_given_sizes:
        return []
    sizes = _edges(tile_sizes(source))
    ranged = [name for name, symbol in target.symbols.items() if symbol.choices is None]
    rng = random.Random(f"boundary {seed}")
    trials: list[Trial] = []
    for number in range(len(sizes) if ranged else 0):
        wanted = {name: sizes[(number + place) % len(sizes)] for place, name in enumerate(ranged)}
        case = _case(target, wanted, ranged[number % len(ranged)], rng)
        if case is not None:
            trials.append(Trial(case, "held out", rng.getrandbits(63)))
    return trials


def _edges(tiles: Sequence[int]) -> list[int]:
    around = [
        *tiles,
        *(2 * size for size in tiles),
        *(size + 1 for size in tiles),
        *(size - 1 for size in tiles if size > SMALLEST),
    ]
    return list(dict.fromkeys(around))[:MOST_CASES]


def _case(target: Subject, wanted: dict[str, int], kept: str, rng: random.Random) -> Case | None:
    """Return a case with the sizes wanted, of which the largest but `kept` are made small."""
    dtypes, choices = rng.choice(variants(target))
    budget = target.emulation_operations // _SHARE
    scalars = {name: rng.choice(scalar.values) for name, scalar in target.scalars.items()}
    scale = rng.choice(target.scales)
    sizes = dict(wanted)
    for _ in range(_ATTEMPTS):
        allowed = {
            name: size if target.symbols[name].allows(size) else _small(target, name, rng)
            for name, size in sizes.items()
        }
        symbols = target.settled({name: {**choices, **allowed}[name] for name in target.symbols})
        case = Case(symbols=symbols, dtypes=dtypes, scalars=scalars, scale=scale)
        if target.admits(case) and target.work_of(case)[1] <= budget:
            return case
        others = [name for name in sizes if name != kept and sizes[name] > _SMALL] or [kept]
        largest = max(others, key=sizes.__getitem__)
        sizes[largest] = _small(target, largest, rng)
    return None


def _small(target: Subject, name: str, rng: random.Random) -> int:
    symbol = target.symbols[name]
    low = max(symbol.min, 1)
    return rng.randint(low, min(max(low, _SMALL), symbol.max or _SMALL))


def _number(token: Token) -> int | None:
    if token.kind != "number":
        return None
    try:
        return int(token.text.replace("'", "").rstrip("uUlL"), 0)
    except ValueError:
        return None
