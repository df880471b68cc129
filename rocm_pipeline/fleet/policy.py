"""Who answers next: the choice of a place, and what a failure means for the others."""

import threading
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from rocm_pipeline.fleet.inventory import Place
from rocm_pipeline.records.outcome import Outcome

ANSWER_FAULTS = frozenset(
    {Outcome.TRUNCATED, Outcome.TRUNCATED_PROMPT, Outcome.EMPTY, Outcome.INVALID}
)
"""The model's doing: with the same seed it does so on every host."""
MODEL_FAULTS = frozenset({Outcome.MODEL_MISSING, Outcome.WRONG_MODEL})
"""One model on one host is not what it was said to be."""
DEAD_FAULTS = frozenset({Outcome.UNREACHABLE, Outcome.TIMEOUT})
"""A host from which nothing is to be had for now."""
_SLOW_FAULTS = frozenset({Outcome.TIMEOUT})
"""Took minutes to show; the same host would most likely take them again."""


class Policy(Protocol):
    """Chooses among places; None means: wait until a slot becomes free."""

    def choose(self, places: Sequence[Place], in_flight: Mapping[str, int]) -> Place | None: ...


class BestModelFirst:
    """The best model that any host has, on the host with most free slots."""

    def choose(self, places: Sequence[Place], in_flight: Mapping[str, int]) -> Place | None:
        best = min(place.rank for place in places)
        free = [
            place
            for place in places
            if place.rank == best and in_flight.get(place.host.name, 0) < place.host.slots
        ]
        return max(free, key=lambda p: p.host.slots - in_flight.get(p.host.name, 0), default=None)


def left_after(place: Place, outcome: Outcome, places: Sequence[Place]) -> list[Place]:
    """Return the places still worth a call after `place` ended in `outcome`."""
    if outcome in ANSWER_FAULTS:
        return [other for other in places if other.identity != place.identity]
    if outcome in MODEL_FAULTS:
        return [other for other in places if other != place]
    elsewhere = [other for other in places if other.host != place.host]
    if elsewhere or outcome in _SLOW_FAULTS:
        return elsewhere
    # Busy, broke off or restarting: with no other host, it may do better a moment later.
    return list(places)


class Slots:
    """Counts what is in flight on each host; threads wait here for their turn."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._in_flight: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def occupied(self, places: Sequence[Place]) -> Generator[Place, None, None]:
        """Hold a slot of the place that the policy chooses, once there is one."""
        with self._changed:
            place = self._policy.choose(places, self._in_flight)
            while place is None:
                self._changed.wait()
                place = self._policy.choose(places, self._in_flight)
            self._in_flight[place.host.name] += 1
        try:
            yield place
        finally:
            with self._changed:
                self._in_flight[place.host.name] -= 1
                self._changed.notify_all()
