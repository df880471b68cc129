"""Who answers next: the fleet's one policy. No clock, no I/O; see `rocm_pipeline.fleet.state`."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from rocm_pipeline.fleet.backlog import Backlog, Kind
from rocm_pipeline.fleet.plan import Lane, Plan, expected_left, has_room, options, stretch
from rocm_pipeline.fleet.state import Assignment, HostState, Job, Running

HEDGE_SAVING = 0.4
"""A second copy must be expected to end sooner than the first by more than this share."""


class Policy(Protocol):
    """State in, decisions out: no clock, no I/O, no memory.

    No slot is filled twice, and an empty answer means that waiting for the next event (an answer, a
    new job, a changed host) is better.
    """

    def decide(
        self, now: float, backlog: Backlog, hosts: Sequence[HostState]
    ) -> tuple[Assignment, ...]:
        """Return which of the jobs that wait should start now."""
        ...

    def hedge(
        self, now: float, jobs: Sequence[Job], hosts: Sequence[HostState]
    ) -> tuple[Assignment, ...]:
        """Return which of the running `jobs` should be asked once more elsewhere now.

        To be called when nothing waits. What runs is read from `hosts[*].busy`.
        """
        ...


class EarliestEnd:
    """Jobs go where they are expected to end soonest; hosts keep to the models they hold.

    A rolling plan is made anew at every decision from what is known then (late binding), and only
    what it starts now is kept. An empty slot may so stay empty: when every waiting job is expected
    to end sooner behind another. At the tail, when nothing waits, what is expected to end last is
    also started elsewhere if that saves more than `HEDGE_SAVING` of its rest.
    """

    def decide(
        self, now: float, backlog: Backlog, hosts: Sequence[HostState]
    ) -> tuple[Assignment, ...]:
        """Return what should start now; see `Policy`."""
        plan = Plan(now, hosts)
        if not plan.has_free_slots:
            return ()
        for kind in plan.in_order(backlog.kinds(now)):
            plan.extend(kind)
            if plan.is_settled:
                break
        return tuple(_starts(plan))

    def hedge(
        self, now: float, jobs: Sequence[Job], hosts: Sequence[HostState]
    ) -> tuple[Assignment, ...]:
        """Return the second copies to start now; see `Policy`."""
        return tuple(_hedges(now, jobs, hosts))


def _starts(plan: Plan) -> Iterator[Assignment]:
    """Take from each host's share of the plan what fills its free slots now."""
    taken: Counter[int] = Counter()
    for lane in plan.lanes:
        if not lane.budget:
            continue
        resident = set(lane.host.resident)
        for kind, model in _fitting(lane):
            job = kind.jobs[taken[id(kind)]]
            taken[id(kind)] += 1
            speed = lane.host.models[model]
            load = 0.0 if model in resident else speed.load_seconds
            end = plan.now + load + speed.seconds(job.tokens_in, job.tokens_out)
            yield Assignment(job.id, lane.host.name, model, end)
            resident.add(model)


def _fitting(lane: Lane) -> Iterator[tuple[Kind, str]]:
    """Yield what can fill the free slots of a host now, with the models that it has room for.

    Highest level first; within it what is loaded, and then as planned: longest first. For a model
    that waits for room the host drains: what is of a lower level does not start before it.
    """
    resident = lane.host.resident
    order = sorted(lane.chosen, key=lambda chosen: (-chosen[0].level, chosen[1] not in resident))
    in_use = {running.model for running in lane.host.busy}
    left, least = lane.budget, -math.inf
    for kind, model in order:
        if not left or kind.level < least:
            return
        if model not in in_use and not has_room(lane.host, in_use):
            least = kind.level
            continue
        in_use.add(model)
        left -= 1
        yield kind, model


def _hedges(now: float, jobs: Sequence[Job], hosts: Sequence[HostState]) -> Iterator[Assignment]:
    by_id = {job.id: job for job in jobs}
    copies = Counter(work.job_id for host in hosts for work in host.busy)
    alone = [
        (expected_left(work, now), host.name, _copy_of(by_id[work.job_id], work, now))
        for host in hosts
        for work in host.busy
        if copies[work.job_id] == 1 and work.job_id in by_id
    ]
    lanes = [lane for lane in Plan(now, hosts).lanes if lane.budget]
    for left, there, job in sorted(alone, key=lambda found: (-found[0], found[2].id)):
        found = min(_copies(job, there, lanes), default=None)
        if found is None or found[0] - now >= (1 - HEDGE_SAVING) * left:
            continue
        end, _, model, lane = found
        lane.start(model, end)
        yield Assignment(job.id, lane.host.name, model, end, hedge=True)


def _copy_of(job: Job, work: Running, now: float) -> Job:
    # The same model, so that the question has one answer whoever is first.
    models = tuple(model for model in job.models if model == work.model)
    return replace(job, models=models, tokens_out=job.tokens_out * stretch(work, now))


def _copies(job: Job, there: str, lanes: Sequence[Lane]) -> Iterator[tuple[float, str, str, Lane]]:
    """Yield when the job would end in each free slot elsewhere."""
    elsewhere = [lane for lane in lanes if lane.budget and lane.host.name != there]
    for lane, model, speed, _ in options(elsewhere, job.models, job.avoid):
        yield lane.end(model, speed, job), lane.host.name, model, lane
