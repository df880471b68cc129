"""Policies of the tests: the product's without second copies, and one that thinks of nothing."""

from collections.abc import Sequence

from rocm_pipeline.fleet.backlog import Backlog
from rocm_pipeline.fleet.policy import EarliestEnd
from rocm_pipeline.fleet.state import Assignment, HostState, Job


class WithoutCopies(EarliestEnd):
    """The product's policy, but that each question is asked once, however slow the machine is.

    Copies of what takes long have their own tests; elsewhere one more would be a surprise.
    """

    def hedge(
        self, now: float, jobs: Sequence[Job], hosts: Sequence[HostState]
    ) -> tuple[Assignment, ...]:
        del now, jobs, hosts
        return ()


class AnyFree(WithoutCopies):
    """Fills every free slot at once, in the order of ids, whatever it costs."""

    def decide(
        self, now: float, backlog: Backlog, hosts: Sequence[HostState]
    ) -> tuple[Assignment, ...]:
        free = [host.name for host in hosts for _ in range(host.free)]
        waiting = [job for kind in backlog.kinds(now) for job in kind.jobs]
        pairs = zip(sorted(waiting, key=lambda job: job.id), free, strict=False)
        return tuple(Assignment(job.id, host, job.models[0], now + 1) for job, host in pairs)
