"""What a run's events say, in the words of this project."""

from dataclasses import dataclass
from enum import Enum

import dagster as dg


class StageState(str, Enum):
    STARTED = "started"
    REPLIED = "replied"
    """An agent answered within the stage; `detail` is the harness's word on it."""
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True)
class StageEvent:
    """Something happened to one stage of one target."""

    target: str
    stage: str
    state: StageState
    detail: str = ""


def stage_of(step_key: str) -> str:
    """Return the asset that a step belongs to: `kernel_candidates.develop[a]` is one's step."""
    return step_key.split(".")[0]


def reason_of(event: dg.DagsterEvent) -> str:
    """Return why a step failed, on one line, without Dagster's own wrapping."""
    data = event.event_specific_data
    error = getattr(data, "error", None)
    if error is None:
        return " ".join((event.message or "").split())
    while error.cause is not None:
        error = error.cause
    lines = error.message.strip().splitlines()
    text = lines[0] if lines else "no reason given"
    # The message starts with the exception's class; the rest is meant for people.
    name, separator, rest = text.partition(": ")
    return rest if separator and " " not in name else text
