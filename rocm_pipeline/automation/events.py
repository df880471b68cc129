"""What a run's events say, in the words of this project."""

import re
from dataclasses import dataclass
from enum import Enum

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

_CHILDREN = "During multiprocess execution errors occurred in child processes:"
_CHILD = re.compile(r"^In process \d+: ")
_STEPS_TOLD = "steps_interrupted"
"""What Dagster's executor notes when it passes a signal on to the steps."""
_INTERRUPTS = {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}


class StageState(str, Enum):
    WAITING = "waits"
    """Another run of the target is under way; `detail` says which."""
    STARTED = "started"
    REPLIED = "replied"
    """An agent answered within the stage; `detail` is the harness's word on it."""
    FINISHED = "finished"
    UNCHANGED = "unchanged"
    """The target's run came to its end, and the stage stands as it was made before."""
    SENT_BACK = "sent back"
    """A review asked for changes; what comes of them is made next. `detail` names their tasks."""
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
    """Return why a step or a run failed, on one line, without Dagster's own wrapping."""
    error = _error_of(event)
    if error is None:
        return " ".join((event.message or "").split())
    # An error of our own is worded for people; what it was raised from is not.
    while error.cause is not None and not error.message.startswith("rocm_pipeline."):
        error = error.cause
    lines = error.message.strip().splitlines()
    if len(lines) > 1 and lines[0].endswith(_CHILDREN):
        lines = [_CHILD.sub("", lines[1])]
    text = lines[0] if lines else "no reason given"
    # The message starts with the exception's class; the rest is meant for people.
    name, separator, rest = text.partition(": ")
    return rest if separator and " " not in name else text


def is_interrupt(event: dg.DagsterEvent) -> bool:
    """Say whether the event is a step that was told to stop, or the run that was."""
    error = _error_of(event)
    if error is None:
        told = getattr(event.event_specific_data, "metadata", {})
        return event.event_type is dg.DagsterEventType.ENGINE_EVENT and _STEPS_TOLD in told
    while error is not None:
        if error.cls_name in _INTERRUPTS:
            return True
        error = error.cause
    return False


def _error_of(event: dg.DagsterEvent) -> SerializableErrorInfo | None:
    return getattr(event.event_specific_data, "error", None)
