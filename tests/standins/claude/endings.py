"""How a request can end: what behaviours are made of."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tests.standins.claude.request import Request

Category = Literal["cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms"]


@dataclass(frozen=True)
class Says:
    """An answer. It is cut, and says so, at the request's max_tokens or at `limit` tokens."""

    text: str
    limit: int | None = None
    thinking_tokens: int = 0
    """Of the output, before the text; they count towards max_tokens."""
    model: str | None = None
    """Another model than the one asked for, as a proxy may put in its place."""


@dataclass(frozen=True)
class UsesTool:
    """An answer that calls a tool."""

    name: str
    input: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Refuses:
    """A refusal: status 200, charged, with whatever text came before it."""

    category: Category | None = "frontier_llm"
    explanation: str | None = "This request was declined."
    text: str = ""


@dataclass(frozen=True)
class Fails:
    """An error status, not charged; "errored" for an entry of a batch.

    With `after` it hides an ending: the answer was charged, or the batch accepted, before.
    """

    status: int
    message: str = "scripted failure"
    retry_after: float | None = None
    kind: str | None = None
    """The type of the error, where it is not the usual one of the status."""
    after: "Says | UsesTool | Refuses | Accepts | None" = None


@dataclass(frozen=True)
class Accepts:
    """What becomes of a good request to create a batch."""


@dataclass(frozen=True)
class Expires:
    """An entry of a batch that was not reached within its 24 hours."""


@dataclass(frozen=True)
class Cancels:
    """An entry of a batch that was cancelled before it was reached."""


@dataclass(frozen=True)
class Lost:
    """The connection breaks. With an `ending` the request was carried out, and charged, before.

    Of a streamed answer `events` events are sent first, then `error` in the stream if there is one.
    `action` runs last, while the connection still stands.
    """

    ending: "Ending | None" = None
    events: int = 0
    error: Fails | None = None
    action: Callable[[], None] | None = None


@dataclass(frozen=True)
class Then:
    """The request is carried out and charged; `action` runs before anything is answered."""

    ending: "Ending"
    action: Callable[[], None]


Ending: TypeAlias = Says | UsesTool | Refuses | Fails | Accepts | Expires | Cancels | Lost | Then
Behaviour: TypeAlias = Callable[[Request], Ending]


def says(text: str | Callable[[Request], str]) -> Behaviour:
    """Answer with a text, or with what a function makes of the request."""
    return lambda request: Says(text if isinstance(text, str) else text(request))


def slow(seconds: float, ending: Ending) -> Then:
    """Carry out and charge the request, and let its answer wait."""
    return Then(ending, lambda: time.sleep(seconds))


def in_turn(*steps: Behaviour | Ending) -> Behaviour:
    """One step a request; the last one goes on for ever."""
    lock = threading.Lock()
    left = list(steps)

    def behave(request: Request) -> Ending:
        with lock:
            step = left.pop(0) if len(left) > 1 else left[0]
        return step(request) if callable(step) else step

    return behave
