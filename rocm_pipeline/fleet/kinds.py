"""Waiting jobs that are alike, so that a plan looks at kinds of jobs and not at each of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from rocm_pipeline.fleet.state import HostState, Job, Speed

_CLASSES_PER_DOUBLING = 2
"""How finely jobs are told apart by length."""
_READ_WHILE_ONE_IS_WRITTEN = 20.0
"""Tokens of a prompt; a rough ratio, as it only tells which jobs are about as long."""


@dataclass(slots=True)
class Kind:
    """Waiting jobs that are alike: one level, the same models, about one length."""

    level: int
    models: tuple[str, ...]
    avoid: frozenset[tuple[str, str]]
    seconds: float
    """Of one of them on the fastest host: what kinds are ordered by."""
    jobs: list[Job] = field(default_factory=list[Job])


class Kinds:
    """Groups jobs; remembers what is alike, which depends on the jobs alone."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[object, ...], int] = {}
        self._known: dict[str, tuple[Job, int]] = {}
        """Each job's shape, as a number: what a tuple's hash costs is paid once for a job."""

    def of(
        self, jobs: Sequence[Job], levels: Sequence[int], hosts: Sequence[HostState]
    ) -> list[Kind]:
        """Group jobs of these levels, highest level first and longest first within a level.

        Jobs that no host may be asked for now are left out.
        """
        if len(self._known) > 2 * len(jobs) + 1_000:
            self._known.clear()
            self._shapes.clear()
        known, groups = self._known, dict[tuple[int, int], list[Job]]()
        for level, job in zip(levels, jobs, strict=True):
            found = known.get(job.id)
            if found is None or found[0] is not job:
                found = known[job.id] = (job, self._shape(job))
            group = groups.get((level, found[1]))
            if group is None:
                groups[level, found[1]] = [job]
            else:
                group.append(job)
        fastest = {
            models: _fastest(models, hosts) for models in {g[0].models for g in groups.values()}
        }
        kinds: list[Kind] = []
        for (level, _), group in groups.items():
            first = group[0]
            speed = fastest[first.models]
            if speed is not None:
                seconds = speed.seconds(first.tokens_in, first.tokens_out)
                kinds.append(Kind(level, first.models, first.avoid, seconds, group))
        return sorted(kinds, key=lambda kind: (-kind.level, -kind.seconds))

    def _shape(self, job: Job) -> int:
        length = job.tokens_out + job.tokens_in / _READ_WHILE_ONE_IS_WRITTEN
        step = int(math.log2(length + 1.0) * _CLASSES_PER_DOUBLING)
        return self._shapes.setdefault((step, job.models, job.avoid), len(self._shapes))


def _fastest(models: Sequence[str], hosts: Sequence[HostState]) -> Speed | None:
    for model in models:
        found = None
        for host in hosts:
            if not host.closed and model not in host.closed_models:
                speed = host.models.get(model)
                if speed and (found is None or speed.decode_tps > found.decode_tps):
                    found = speed
        if found is not None:
            return found
    return None
