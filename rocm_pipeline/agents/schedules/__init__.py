"""Kernel schedules of the embedded agent: from an operator family to HIP source, and better."""

import json
from collections.abc import Sequence

from rocm_pipeline.agents.schedules import attention_forward, row_softmax, upsample_conv_silu
from rocm_pipeline.agents.schedules.model import Family, Proposal, Schedule, Tried
from rocm_pipeline.agents.schedules.search import next_step
from rocm_pipeline.targets.spec import Target

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (row_softmax.FAMILY, attention_forward.FAMILY, upsample_conv_silu.FAMILY)
}
_MARK = "// schedule: "


def propose(target: Target, history: Sequence[Tried], direction: str, seed: int) -> Proposal | None:
    """Return the next kernel to try for `target`, never one that `history` holds.

    `direction` is "wide" (throughput: large tiles, wide loads) or "lean" (few registers, small
    blocks). None when the target's family is unknown, its tensors are not those of the family, or
    every schedule was tried. Pure: the same arguments give the same bytes.
    """
    family = FAMILIES.get(target.family)
    if family is None or not family.fits(target):
        return None
    step = next_step(family, target, history, direction, seed)
    if step is None:
        return None
    return _proposal(family, target, step.schedule, step.why)


def schedule_of(source: str) -> dict[str, int] | None:
    """Return the schedule that the first line of a source names, None when it names none."""
    first = source.split("\n", 1)[0]
    if not first.startswith(_MARK):
        return None
    try:
        values = json.loads(first.removeprefix(_MARK))
    except ValueError:
        return None
    if not isinstance(values, dict) or not all(type(value) is int for value in values.values()):
        return None
    return values


def _proposal(family: Family, target: Target, schedule: Schedule, why: str) -> Proposal:
    rendered = family.render(target, schedule)
    values = dict(sorted(schedule.items()))
    return Proposal(
        source=f"{_MARK}{json.dumps(values)}\n{rendered.source}",
        launch_plan=rendered.launch_plan,
        schedule=values,
        explanation=why,
        limitations=family.limitations,
    )


__all__ = ["FAMILIES", "Proposal", "Tried", "propose", "schedule_of"]
