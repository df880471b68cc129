"""What waits, grouped and in order: a decision looks at kinds of jobs and not at each of them.

A decision is made whenever a slot comes free, and changes a few jobs of what may be a thousand; so
the groups are kept from one to the next, and only what came, went or grew older is touched.
"""

import heapq
import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rocm_pipeline.fleet.state import Job

AGEING_SECONDS = 600.0
"""After each such wait a job counts as one priority higher, so that none waits for ever."""
_CLASSES_PER_DOUBLING = 2
"""How finely jobs are told apart by length."""
_READ_WHILE_ONE_IS_WRITTEN = 20.0
"""Tokens of a prompt; a rough ratio, as it only tells which jobs are about as long."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Waiting jobs that are alike: one level, the same models, about one length."""

    level: int
    models: tuple[str, ...]
    avoid: frozenset[tuple[str, str]]
    jobs: Sequence[Job]
    """At least one; longest first."""


_Group = tuple[int, int, tuple[str, ...], frozenset[tuple[str, str]]]
"""Level, class of length, models, places to avoid."""


class Backlog:
    """The jobs that wait. Times are seconds on the clock of their `waiting_since`."""

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._groups: dict[_Group, list[Job]] = {}
        self._places: dict[str, tuple[Job, _Group | None]] = {}
        self._ageing: list[tuple[float, str]] = []
        """When a job is to be put into a group anew: at once when it came, then as it ages."""
        for job in jobs:
            self.put(job)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._places

    def put(self, job: Job) -> None:
        """Add a job, or replace the one of this id."""
        self.drop(job.id)
        self._places[job.id] = (job, None)
        heapq.heappush(self._ageing, (-math.inf, job.id))

    def drop(self, job_id: str) -> None:
        """Take a job out, if it is there."""
        job, group = self._places.pop(job_id, (None, None))
        if job is not None and group is not None:
            self._take_out(job, group)

    def kinds(self, now: float) -> list[Kind]:
        """Return what waits at this time; good until the next change."""
        self._grow_older(now)
        return [
            Kind(level, models, avoid, jobs)
            for (level, _, models, avoid), jobs in self._groups.items()
        ]

    def _grow_older(self, now: float) -> None:
        due: set[str] = set()
        while self._ageing and self._ageing[0][0] <= now:
            due.add(heapq.heappop(self._ageing)[1])
        for job_id in due & self._places.keys():
            job, group = self._places[job_id]
            waits = int((now - job.waiting_since) / AGEING_SECONDS)
            new = (job.priority + waits, _length_class(job), job.models, job.avoid)
            if new != group:
                if group is not None:
                    self._take_out(job, group)
                self._places[job_id] = (job, new)
                insort(self._groups.setdefault(new, []), job, key=_by_length)
            heapq.heappush(self._ageing, (job.waiting_since + AGEING_SECONDS * (waits + 1), job_id))

    def _take_out(self, job: Job, group: _Group) -> None:
        jobs = self._groups[group]
        del jobs[bisect_left(jobs, _by_length(job), key=_by_length)]
        if not jobs:
            del self._groups[group]


def _length_class(job: Job) -> int:
    length = job.tokens_out + job.tokens_in / _READ_WHILE_ONE_IS_WRITTEN
    return int(math.log2(length + 1.0) * _CLASSES_PER_DOUBLING)


def _by_length(job: Job) -> tuple[float, float, str]:
    return -job.tokens_out, -job.tokens_in, job.id
