"""Is B faster than A? What pairs of times, measured in turn, can say.

Runs of one pair lie next to each other in time, so what drifts (clocks, temperature, a neighbour)
hits both alike and falls out of their quotient. Everything is judged by the quotients of pairs:
their median and where it may lie (order statistics: no assumption about the distribution).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import comb, exp, log
from statistics import median

FEWEST_PAIRS = 10
MOST_CHANCE = 0.01
"""How likely the interval may miss the true median; so likely is a difference found where none
is, at most."""
SMALLEST = 0.005
"""A difference below half a percent is none: no two runs of a kernel are laid out alike."""
MOST_SPREAD = 0.25
"""Median distance of a pair's quotient from the median above which the machine is too unquiet."""


class Verdict(str, Enum):
    """What the pairs say about B."""

    FASTER = "faster"
    SLOWER = "slower"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Comparison:
    """B against A. `speedup` is A over B: above 1, B is faster."""

    verdict: Verdict
    reason: str
    """Why it is inconclusive; empty otherwise."""
    speedup: float
    """By the median of the pairs."""
    low: float
    high: float
    """Where the median lies, but for `MOST_CHANCE`."""
    spread: float
    """Median distance of the pairs' quotients from their median, as a share of it."""


def compare_pairs(pairs: Sequence[tuple[float, float]]) -> Comparison:
    """Compare pairs of positive times (of A, of B), in the order of their measurement.

    In every other pair B ran first. Raises ValueError for fewer than one pair, or times that are
    not positive.
    """
    if not pairs or any(not (a > 0 and b > 0) for a, b in pairs):
        raise ValueError("pairs of positive times are needed")
    logs = [log(a / b) for a, b in pairs]
    middle = median(logs)
    spread = median(abs(value - middle) for value in logs)
    low, high = _interval(logs)
    reason = _doubt(logs, middle, spread, low, high)
    verdict = Verdict.FASTER if middle > 0 else Verdict.SLOWER
    return Comparison(
        Verdict.INCONCLUSIVE if reason else verdict,
        reason,
        exp(middle),
        exp(low),
        exp(high),
        spread,
    )


def _doubt(logs: Sequence[float], middle: float, spread: float, low: float, high: float) -> str:
    if len(logs) < FEWEST_PAIRS:
        return f"{len(logs)} pairs are fewer than {FEWEST_PAIRS}"
    if spread > MOST_SPREAD:
        return f"the pairs differ by {spread:.0%} among themselves"
    if low <= 0 <= high:
        return "the interval of the median holds no difference"
    if abs(middle) < SMALLEST:
        return f"the difference is below {SMALLEST:.1%}"
    half = len(logs) // 2
    parts = {
        "the first and the second half": (logs[:half], logs[half:]),
        "pairs with A first and with B first": (logs[::2], logs[1::2]),
    }
    for words, (one, other) in parts.items():
        if (median(one) > 0) != (median(other) > 0):
            return f"{words} disagree about which is faster"
    return ""


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """The narrowest pair of order statistics that holds the median with 1 - MOST_CHANCE.

    The count of values below the true median is binomial with one half, whatever they are
    distributed like. With too few values, from the least to the largest.
    """
    ordered = sorted(values)
    count = len(ordered)
    left, tail = 0, 0
    for rank in range(count // 2):
        tail += comb(count, rank)
        if 2 * tail > MOST_CHANCE * 2**count:
            break
        left = rank + 1
    # with `left` values below it (counted from 1), the interval starts at the left-th value
    start = max(left - 1, 0)
    return ordered[start], ordered[count - 1 - start]
