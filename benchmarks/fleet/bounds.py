"""A time below which no schedule can be, whoever makes it and whatever it knows.

The Lagrangian dual of "assign every job to a host that has loaded its model; no host works longer
than T": for any prices of the hosts' time the cheapest assignment bounds T from below, so the bound
holds however well the prices were chosen. A load is paid once for each model on each host used; it
ignores evictions and the order of the work, so it cannot always be reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from benchmarks.fleet.scenarios import Fault, SimHost, SimJob

_FEW_HOSTS = 6
"""Up to here every set of hosts that load a model is tried; beyond, loads are shared out."""
_STEPS = 80
_HALVINGS = 6
_NEVER = 1e12

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Group:
    """The jobs of one model."""

    seconds: Matrix
    """(jobs, hosts): of each answer."""
    loads: Matrix
    """(hosts,): of one load."""


def makespan_bound(hosts: Sequence[SimHost], jobs: Sequence[SimJob]) -> float:
    """Return seconds from the start before which the last job cannot end."""
    working = [host for host in hosts if host.works]
    if not any(job.arrives for job in jobs):
        return _bound(working, jobs, with_loads=True)
    found = [_bound(working, jobs, with_loads=True)]
    for start in range(0, len(jobs), max(1, len(jobs) // 4)):
        late = jobs[start:]
        # What arrives late may find everything loaded.
        found.append(late[0].arrives + _bound(working, late, with_loads=False))
    return max(found)


def _bound(hosts: Sequence[SimHost], jobs: Sequence[SimJob], *, with_loads: bool) -> float:
    groups = [_group(hosts, jobs, model, with_loads) for model in sorted({j.model for j in jobs})]
    slots = np.array([float(host.slots) for host in hosts])
    alive = np.array([h.fault_at if h.fault is Fault.DIES else np.inf for h in hosts])
    shortest = max(float((g.seconds + g.loads).min(axis=1).max()) for g in groups)
    prices = 1.0 / slots / len(hosts)
    low, prices = _dual(groups, slots, prices, np.inf)
    low = max(low, shortest)
    high = 1.3 * low if np.isinf(alive).all() else 2.5 * low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        # With the pairs barred that alone would take longer: is `middle` still too short?
        room = slots * np.minimum(1.0, alive / middle)
        value, prices = _dual(groups, room, prices, middle)
        low, high = (middle, high) if value > middle else (low, middle)
    return low


def _group(
    hosts: Sequence[SimHost], jobs: Sequence[SimJob], model: str, with_loads: bool
) -> _Group:
    speeds = [host.speed(model) for host in hosts]
    of_model = [job for job in jobs if job.model == model]
    seconds = [[s.seconds(job.tokens_in, job.tokens_out) for s in speeds] for job in of_model]
    loads = [s.load_seconds if with_loads else 0.0 for s in speeds]
    return _Group(np.array(seconds), np.array(loads))


def _dual(
    groups: Sequence[_Group], slots: Matrix, prices: Matrix, limit: float
) -> tuple[float, Matrix]:
    """Return the best bound found by raising the prices of overworked hosts, and its prices."""
    prices = prices / float((prices * slots).sum())
    best, best_prices = 0.0, prices
    for step in range(_STEPS):
        value, work = _cheapest(groups, prices, limit)
        if value > best:
            best, best_prices = value, prices
            if value > limit:
                break
        strain = work / slots
        push = np.clip(strain / max(float(strain.mean()), 1e-9) - 1.0, -2.0, 2.0)
        prices = prices * np.exp(0.5 / (1 + step) ** 0.6 * push)
        prices = prices / float((prices * slots).sum())
    return best, best_prices


def _cheapest(groups: Sequence[_Group], prices: Matrix, limit: float) -> tuple[float, Matrix]:
    """Return the least price of all work, and the time it puts on each host."""
    few = len(prices) <= _FEW_HOSTS
    # Where loads are shared out, at least the shortest one of each host is counted in full.
    first = np.zeros(len(prices)) if few else np.min([g.loads for g in groups], axis=0)
    total, work = float((prices * first).sum()), first.copy()
    for group in groups:
        barred = group.seconds + group.loads > limit
        value, at, loaded = (
            _by_sets(group, prices, barred) if few else _shared(group, first, prices, barred)
        )
        total += value
        rows = np.arange(len(at))
        np.add.at(work, at, group.seconds[rows, at])
        work += loaded
    return total, work


def _by_sets(
    group: _Group, prices: Matrix, barred: npt.NDArray[np.bool_]
) -> tuple[float, npt.NDArray[np.intp], Matrix]:
    count = len(prices)
    sets = np.array([bits for bits in product((False, True), repeat=count) if any(bits)])
    priced = np.where(barred, _NEVER, group.seconds * prices)
    within = np.where(sets[:, None, :], priced[None], 2 * _NEVER)
    costs = within.min(axis=2).sum(axis=1) + (sets * (prices * group.loads)).sum(axis=1)
    chosen = int(costs.argmin())
    at = within[chosen].argmin(axis=1)
    return float(costs[chosen]), at, np.where(sets[chosen], group.loads, 0.0)


def _shared(
    group: _Group, first: Matrix, prices: Matrix, barred: npt.NDArray[np.bool_]
) -> tuple[float, npt.NDArray[np.intp], Matrix]:
    share = (group.loads - first) / len(group.seconds)
    priced = np.where(barred, _NEVER, (group.seconds + share) * prices)
    at = priced.argmin(axis=1)
    loaded = np.bincount(at, minlength=len(prices)) * share
    return float(priced.min(axis=1).sum()), at, loaded
