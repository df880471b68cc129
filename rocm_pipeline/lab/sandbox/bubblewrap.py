"""The first mechanism: bubblewrap's namespaces with our system-call filter."""

import contextlib
import platform
from collections.abc import Sequence
from pathlib import Path

from rocm_pipeline.lab.sandbox import cgroups, devices, process, profile, seccomp
from rocm_pipeline.lab.sandbox.detect import Bubblewrap
from rocm_pipeline.lab.sandbox.job import Job
from rocm_pipeline.lab.sandbox.staging import sandbox_uid, within_reach
from rocm_pipeline.lab.sandbox.transfer import Transfer, content_bytes
from rocm_pipeline.lab.sandbox.watch import Outcome


class BubblewrapMechanism:
    """Runs jobs in namespaces of their own; the box is an in-memory file system of limited size."""

    name = "bubblewrap"

    def __init__(self, bubblewrap: Bubblewrap, tree: cgroups.Tree | None) -> None:
        self._bubblewrap = bubblewrap
        self._tree = tree
        self._seccomp = seccomp.program(platform.machine())

    @property
    def identity(self) -> str:
        """E.g. `bubblewrap 0.11.0 + seccomp + cgroup v2 (memory, pids)`."""
        walls = [self._bubblewrap.identity, "seccomp"]
        return " + ".join([*walls, self._tree.identity if self._tree else "no cgroup"])

    def execute(self, job: Job) -> Outcome:
        """Run `job` to its end and bring its box up to date."""
        uid = sandbox_uid()
        places, nodes = list(job.readonly), list(job.devices)

        def started(reachable: Sequence[str]) -> Outcome:
            folder, box, *sources = reachable
            readonly, bound = sources[: len(places)], sources[len(places) :]
            with contextlib.ExitStack() as stack:
                tree = self._tree
                group = stack.enter_context(cgroups.group(tree, job.limits)) if tree else None
                return process.execute(
                    f"{folder}/{self._bubblewrap.inner}",
                    profile.options(
                        box_bytes=content_bytes(Path(box)) + job.limits.box_bytes,
                        readonly=dict(zip(places, readonly, strict=True)),
                        devices=dict(zip(nodes, bound, strict=True)),
                        environment=job.environment,
                        limits=job.limits,
                    ),
                    profile.limited(job.argv, job.limits),
                    seccomp=self._seccomp,
                    uid=uid,
                    groups=devices.groups(job.devices.values()),
                    inside=process.Inside(Transfer(Path(box), uid, job.limits), group),
                )

        # The box, too: where root stages, its own path may be covered.
        sources = [self._bubblewrap.folder, job.box, *job.readonly.values(), *job.devices.values()]
        return within_reach(sources, started)
