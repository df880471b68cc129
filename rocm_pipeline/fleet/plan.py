"""A rolling plan: which waiting job each host would do, were nothing to change from now on.

Longest first, each where it is expected to end soonest (loads included). Jobs that are alike are
planned together, so that the cost of a plan grows with the kinds of jobs and with the hosts.
"""

import heapq
from collections.abc import Collection, Sequence

from rocm_pipeline.fleet.backlog import Kind
from rocm_pipeline.fleet.state import HostState, Job, Running, Speed

LESSER_MODEL_COST = 2.0
"""A model one place down the job's list must be expected to answer this many times sooner."""
OVERDUE_SHARE = 0.5
"""What is late is expected to take this share of its time so far once more: about the mean rest of
answers whose lengths are guessed with a log-normal error of 0.6."""


def expected_left(running: Running, now: float) -> float:
    """Return the seconds until a running answer is expected to end."""
    return max(running.expected_end - now, OVERDUE_SHARE * (now - running.started), 0.0)


def stretch(running: Running, now: float) -> float:
    """Return how much longer than expected a running answer is by now taken to be; at least 1."""
    expected = running.expected_end - running.started
    taken = now - running.started + expected_left(running, now)
    return max(1.0, taken / expected) if expected > 0 else 1.0


class Lane:
    """One host in the plan: when its slots become free, what will be loaded by then."""

    __slots__ = ("_in_use", "_slots", "_warm", "budget", "chosen", "host", "loaded")

    def __init__(self, host: HostState, now: float) -> None:
        busy, budget = host.busy, host.slots - len(host.busy)
        slots = [now + expected_left(running, now) for running in busy]
        if budget > 0:
            slots += [now] * budget
        slots.sort()
        self.host, self.budget = host, max(0, budget)
        self._slots = slots
        self.loaded = host.resident
        self._in_use = [running.model for running in busy]
        self.chosen: list[tuple[Kind, str]] = []
        """What is planned here, in order."""
        self._warm = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing of a lower or equal level can change what starts here now."""
        return self._warm >= self.budget

    def end(self, model: str, speed: Speed, job: Job) -> float:
        """Return when the job would end here, put behind all that is planned."""
        took = job.tokens_in / speed.prompt_tps + job.tokens_out / speed.decode_tps
        return (self._slots[0] if model in self.loaded else self._ready(speed)) + took

    def add(self, kind: Kind, model: str, end: float) -> None:
        """Plan one job of `kind` here."""
        self._fill(model, end)
        self.chosen.append((kind, model))
        self._warm += model in self.host.resident

    def start(self, model: str, end: float) -> None:
        """Fill a free slot now."""
        self._fill(model, end)
        self.budget -= 1

    def _ready(self, speed: Speed) -> float:
        slots = self._slots
        # A model with no room beside those that answer waits until the last slot is free.
        waits = len(slots) > 1 and not has_room(self.host, self._in_use)
        return (max(slots) if waits else slots[0]) + speed.load_seconds

    def _fill(self, model: str, end: float) -> None:
        if model not in self.loaded:
            if not has_room(self.host, self._in_use):
                ready = self._ready(self.host.models[model])
                self._slots = [ready] * len(self._slots)
                self._in_use.clear()
            self.loaded = (*self.loaded, model)
        self._in_use.append(model)
        heapq.heapreplace(self._slots, end)


def has_room(host: HostState, in_use: Collection[str]) -> bool:
    """Say whether another model can be loaded before one of these has drained."""
    return host.room is None or len(in_use) < host.room or len(set(in_use)) < host.room


class Plan:
    """The lanes of a fleet at one moment, filled by `extend`, kind after kind."""

    def __init__(self, now: float, hosts: Sequence[HostState]) -> None:
        self.now = now
        self.lanes = [Lane(host, now) for host in hosts if not host.closed and host.slots > 0]
        self._free = [lane for lane in self.lanes if lane.budget]
        self._served: dict[tuple[tuple[str, ...], frozenset[tuple[str, str]]], _Served] = {}

    @property
    def has_free_slots(self) -> bool:
        """Whether any host could start something now."""
        return bool(self._free)

    @property
    def is_settled(self) -> bool:
        """Whether kinds that follow, in their order, can change nothing of what starts now."""
        return all(lane.is_settled for lane in self._free)

    def in_order(self, kinds: Sequence[Kind]) -> list[Kind]:
        """Return the kinds, highest level first and longest first within a level.

        How long is told by the shortest of a kind, on the fastest host with the best model that any
        host may be asked for; kinds that no host may be asked for are left out.
        """
        found: list[tuple[tuple[int, float], Kind]] = []
        for kind in kinds:
            speed = self._served_for(kind).fastest
            if speed is not None:
                shortest = kind.jobs[-1]
                seconds = speed.seconds(shortest.tokens_in, shortest.tokens_out)
                found.append(((-kind.level, -seconds), kind))
        found.sort(key=_order)
        return [kind for _, kind in found]

    def extend(self, kind: Kind) -> None:
        """Put the jobs of a kind, longest first, where each is expected to end soonest.

        Ends early when the plan is settled: what would follow is of this kind's level, too.
        """
        now, jobs = self.now, kind.jobs
        served = self._served_for(kind).options
        if not served:
            return
        first, count = jobs[0], len(jobs)
        heads: list[tuple[float, float, int]] = []
        for position, (lane, model, speed, rank) in enumerate(served):
            end = lane.end(model, speed, first)
            cost = (end - now) * LESSER_MODEL_COST**rank if rank else end - now
            heads.append((cost, end, position))
        heapq.heapify(heads)
        for following in range(1, count + 1):
            _, end, position = heads[0]
            lane, model, speed, rank = served[position]
            lane.add(kind, model, end)
            if lane.budget and lane.is_settled and self.is_settled:
                return
            if following < count:
                end = lane.end(model, speed, jobs[following])
                cost = (end - now) * LESSER_MODEL_COST**rank
                heapq.heapreplace(heads, (cost, end, position))

    def _served_for(self, kind: Kind) -> "_Served":
        """Return who may be asked, looked up once for each list of models."""
        key = (kind.models, kind.avoid)
        served = self._served.get(key)
        if served is None:
            served = self._served[key] = _Served(self.lanes, kind)
        return served


class _Served:
    """Where the jobs of a kind may be asked."""

    __slots__ = ("fastest", "options")

    def __init__(self, lanes: Sequence[Lane], kind: Kind) -> None:
        self.options = options(lanes, kind.models, kind.avoid)
        self.fastest: Speed | None = None
        """Of the best model that any lane may be asked for."""
        best, fastest = len(kind.models), 0.0
        for _, _, speed, rank in self.options:
            if rank < best or (rank == best and speed.decode_tps > fastest):
                best, fastest, self.fastest = rank, speed.decode_tps, speed


def options(
    lanes: Sequence[Lane], models: Sequence[str], avoid: frozenset[tuple[str, str]]
) -> list[tuple[Lane, str, Speed, int]]:
    """Return the lanes that may be asked: each with its best model, that one's speed and place."""
    found: list[tuple[Lane, str, Speed, int]] = []
    for lane in lanes:
        host = lane.host
        speeds, closed = host.models, host.closed_models
        for rank, model in enumerate(models):
            if (
                model in speeds
                and model not in closed
                and not (avoid and (host.name, model) in avoid)
            ):
                found.append((lane, model, speeds[model], rank))
                break
    return found


def _order(found: tuple[tuple[int, float], Kind]) -> tuple[int, float]:
    return found[0]
