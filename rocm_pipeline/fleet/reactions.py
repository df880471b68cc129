"""What each way in which a call can end means for hosts, models, and the request itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from rocm_pipeline.fleet.inventory import Place
from rocm_pipeline.records.outcome import Outcome


class Blame(Enum):
    """Whom a failure speaks against."""

    NOBODY = "nobody"
    HOST = "host"
    MODEL_THERE = "the model on this host"
    LOAD = "too much at once"
    ANSWER = "the model, on any host"
    """With the same seed it does so everywhere."""


@dataclass(frozen=True)
class Reaction:
    """`after`: so many such failures in a row open the circuit of what is blamed."""

    blame: Blame
    after: int = 1
    may_be_the_job: bool = False
    """Met on two hosts by the same job, it is the job's doing."""
    costs_an_attempt: bool = True
    same_host_again: bool = False
    """With nowhere else to go, a moment later the same host may do better."""


_BUSY = Reaction(Blame.LOAD, costs_an_attempt=False, same_host_again=True)
_REACTIONS = {
    Outcome.UNREACHABLE: Reaction(Blame.HOST, costs_an_attempt=False, same_host_again=True),
    Outcome.TIMEOUT: Reaction(Blame.HOST, may_be_the_job=True),
    Outcome.INCOMPLETE: Reaction(
        Blame.MODEL_THERE, after=3, may_be_the_job=True, same_host_again=True
    ),
    Outcome.SERVER_ERROR: Reaction(
        Blame.MODEL_THERE, after=3, may_be_the_job=True, same_host_again=True
    ),
    Outcome.DEGENERATE: Reaction(Blame.MODEL_THERE, may_be_the_job=True),
    Outcome.MODEL_MISSING: Reaction(Blame.MODEL_THERE),
    Outcome.WRONG_MODEL: Reaction(Blame.MODEL_THERE),
    Outcome.SERVER_BUSY: _BUSY,
    Outcome.RATE_LIMITED: _BUSY,
    Outcome.TRUNCATED: Reaction(Blame.ANSWER),
    Outcome.TRUNCATED_PROMPT: Reaction(Blame.ANSWER),
    Outcome.EMPTY: Reaction(Blame.ANSWER),
    Outcome.INVALID: Reaction(Blame.ANSWER),
}
_NONE = Reaction(Blame.NOBODY)

OUT_OF_MEMORY = ("out of memory", "cudamalloc", "hipmalloc", "runner process", "llama runner")
"""What servers say when a model does not fit, or its process died of it."""


def reaction(outcome: Outcome, error: str = "") -> Reaction:
    """Return what an outcome means; `error` tells what does not fit from what passes."""
    if outcome is Outcome.SERVER_ERROR and any(said in error.lower() for said in OUT_OF_MEMORY):
        return Reaction(Blame.MODEL_THERE, may_be_the_job=True)
    return _REACTIONS.get(outcome, _NONE)


def left_after(place: Place, outcome: Outcome, places: Sequence[Place]) -> list[Place]:
    """Return the places still worth a call after `place` ended in `outcome`."""
    met = reaction(outcome)
    if met.blame is Blame.ANSWER:
        return [other for other in places if other.identity != place.identity]
    if outcome in (Outcome.MODEL_MISSING, Outcome.WRONG_MODEL):
        return [other for other in places if other != place]
    elsewhere = [other for other in places if other.host != place.host]
    if elsewhere or not met.same_host_again:
        return elsewhere
    return list(places)
