"""Reads a prompt back into what it was made from, by the stable names of its data blocks."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rocm_pipeline.agents.brief import EvidenceSummary
from rocm_pipeline.agents.round_note import RoundNote, RoundNotes
from rocm_pipeline.planning.plan import Task
from rocm_pipeline.quoting.blocks import read_blocks
from rocm_pipeline.targets.launch_plan import LaunchPlan
from rocm_pipeline.targets.spec import Target


@dataclass(frozen=True)
class Question:
    """A task as the embedded agent sees it; `kernel` falls back to the target's baseline."""

    task: Task
    target: Target
    feedback: tuple[RoundNote, ...]
    kernel: str
    launch_plan: LaunchPlan
    evidence: EvidenceSummary | None


def read_question(prompt: str) -> Question | None:
    """Return the question that `prompt` asks, or None when it is not one of this project's."""
    blocks = read_blocks(prompt)
    if not {"TASK", "TARGET", "REFERENCE", "BASELINE", "BASELINE LAUNCH PLAN"} <= set(blocks):
        return None
    try:
        target = _target(blocks)
        plan = blocks.get("LAUNCH PLAN")
        evidence = blocks.get("EVIDENCE")
        return Question(
            task=Task.model_validate_json(blocks["TASK"]),
            target=target,
            feedback=RoundNotes.validate_json(blocks.get("FEEDBACK", "[]")),
            kernel=blocks.get("KERNEL", target.baseline.source),
            launch_plan=(
                LaunchPlan.model_validate_json(plan) if plan else target.baseline.launch_plan
            ),
            evidence=EvidenceSummary.model_validate_json(evidence) if evidence else None,
        )
    except (ValidationError, ValueError):
        return None


def _target(blocks: dict[str, str]) -> Target:
    data: dict[str, Any] = json.loads(blocks["TARGET"])
    data["reference"] = blocks["REFERENCE"]
    data["baseline"]["source"] = blocks["BASELINE"]
    data["baseline"]["launch_plan"] = json.loads(blocks["BASELINE LAUNCH PLAN"])
    return Target.model_validate(data)
