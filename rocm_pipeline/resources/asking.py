"""How a run asks Claude, by the tags of its Dagster run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rocm_pipeline.errors import UserError
from rocm_pipeline.planning.claude.planner import PlanRequest
from rocm_pipeline.resources.protocols import Sources

TRIGGER_TAG = "rocm/trigger"
NIGHTLY = "nightly"
RUN_TAG = "rocm/run"
"""Whose budget is spent: the same for all Dagster runs of one command, night or new commit."""
TOGETHER_TAG = "rocm/together"
"""A JSON list: the targets that runs beside this one are about to plan too."""
REVIEWED_TAG = "rocm/reviewed-together"
"""A JSON list: the targets whose kernels wait for their final review as this one's does."""


@dataclass(frozen=True)
class Asking:
    """Whose budget is spent, what is asked about in the same call, and whether it may wait."""

    run_id: str
    together: tuple[str, ...] = ()
    reviewed_together: tuple[str, ...] = ()
    may_wait: bool = False


def asking_of(run_id: str, tags: Mapping[str, str]) -> Asking:
    """Return how the run with these tags asks: a nightly one may wait for a batch.

    A run that belongs to none, as one that is started by hand, is its own.
    """
    return Asking(
        run_id=tags.get(RUN_TAG, run_id),
        together=tuple(json.loads(tags.get(TOGETHER_TAG, "[]"))),
        reviewed_together=tuple(json.loads(tags.get(REVIEWED_TAG, "[]"))),
        may_wait=tags.get(TRIGGER_TAG) == NIGHTLY,
    )


def together(names: Sequence[str], tag: str = TOGETHER_TAG) -> dict[str, str]:
    """Return the tag of runs that ask about these targets; nothing for a single one."""
    return {tag: json.dumps(list(names))} if len(names) > 1 else {}


def planned_beside(sources: Sources, asking: Asking, target: str) -> tuple[PlanRequest, ...]:
    """Return the other targets to plan, as they are now, without their archives.

    One that cannot be read is left out: its own run says why.
    """
    found: list[PlanRequest] = []
    for name in asking.together:
        if name == target:
            continue
        try:
            other = sources.target(name)
            snapshot = sources.snapshot(other)
            found.append(PlanRequest(other, snapshot, sources.history(snapshot)))
        except UserError:
            continue
    return tuple(found)
