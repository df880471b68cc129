"""One question to Claude and what can come of it; nothing here knows how it is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

Form = TypeVar("Form", bound=BaseModel)


class Purpose(str, Enum):
    """What a call is for; the ledger keeps them apart."""

    PLAN = "plan"
    REPAIR = "repair"
    """Mending a plan; an answer to a review that is mended is a review's call as well."""
    REVIEW = "review"
    HINT = "hint"
    BASELINE = "baseline"
    """Claude doing the coding alone, for the paired experiment."""


@dataclass(frozen=True)
class Block:
    """A part of the system prompt; the prefix up to the end of a `cached` one is cached."""

    text: str
    cached: bool = False


@dataclass(frozen=True, kw_only=True)
class Call(Generic[Form]):
    """A question whose answer has the form of `form`.

    What several calls share goes first, in `system`, so that they share a cached prefix.
    `targets` are those whose budgets and totals the call is booked on, in equal parts.
    """

    purpose: Purpose
    targets: tuple[str, ...]
    system: tuple[Block, ...]
    prompt: str
    form: type[Form]
    max_tokens: int
    plan_id: str | None = None
    run_id: str | None = None
    round: int = 1


@dataclass(frozen=True)
class Answer(Generic[Form]):
    """An answer in the form that was asked for."""

    value: Form
    attempt_id: str
    model: str
    text: str


class Reason(str, Enum):
    """Why there is no answer; the closed list."""

    NO_KEY = "no key"
    OVER_BUDGET = "over budget"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    INVALID = "invalid"
    RATE_LIMITED = "rate limited"
    UNREACHABLE = "unreachable"
    NOT_PAID = "payment required"
    REJECTED = "rejected"
    """The server does not take the request as it is: an unknown model, or a prompt too long."""
    HELD = "held"
    """An equal call may have been made and paid already, and nothing says what came of it."""


class UnansweredError(Exception):
    """No usable answer came; whoever asked goes on by rules and says so.

    `text` is the answer as it came, where one came in another form (INVALID), and `detail` says
    what is wrong with it in the validator's words.
    """

    def __init__(
        self, reason: Reason, detail: str, *, text: str = "", attempt_id: str | None = None
    ) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
        self.text = text
        self.attempt_id = attempt_id


class Claude(Protocol):
    """Whoever puts calls to a model; every attempt is in the ledger, whatever came of it."""

    def ask(self, call: Call[Form]) -> Answer[Form]:
        """Return the answer, or raise `UnansweredError`. An equal call is answered from records."""
        ...

    def ask_all(self, calls: Sequence[Call[Form]]) -> list[Answer[Form] | UnansweredError]:
        """Answer several calls that may wait, at the lower price of a batch; in their order."""
        ...
