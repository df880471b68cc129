"""What is asked of the fleet, and what comes back: a reply, or why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet.inventory import Place
from rocm_pipeline.fleet.reactions import Blame, reaction
from rocm_pipeline.records.journal import CleanText
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.store import canonical_json, sha256

PROVIDER = "ollama"
"""Who answers, in the journal."""
Sampling = Literal["temperature", "top_p", "top_k", "min_p", "repeat_penalty", "stop"]
"""Options a request may set. Any other makes a host reload the model, so it is the fleet's."""


class ChatRequest(BaseModel):
    """What is asked of a role. The second block only says why, for the ledger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    system: CleanText
    prompt: CleanText
    seed: int
    max_tokens: int = Field(gt=0)
    options: dict[Sampling, Any] = {}
    format: dict[str, Any] | None = None
    """JSON schema that the answer must follow."""

    target: str
    purpose: str
    plan_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    round: int = 0
    priority: int = 0
    """Higher is asked first. It does not shape the answer, and neither does the next."""
    prefer_model: str = ""
    """Asked before all others where a host has it."""

    @property
    def job(self) -> str:
        """Equal for equal questions, whoever asks them of which model."""
        shaping = {"system", "prompt", "seed", "max_tokens", "options", "format"}
        return sha256(canonical_json(self.model_dump(mode="json", include=shaping)).encode())


@dataclass(frozen=True, kw_only=True)
class ChatReply:
    """A whole answer. A replayed one was stored before and cost no call."""

    text: str
    model: str
    digest: str
    host: str
    attempt_id: str
    replayed: bool
    tokens_in: int
    tokens_out: int
    seconds: float


@dataclass(frozen=True)
class Failure:
    """One attempt of a request that got no answer."""

    attempt_id: str
    place: Place
    outcome: Outcome
    error: str
    tokens_in: int
    tokens_out: int

    @property
    def model(self) -> str:
        return self.place.model

    @property
    def digest(self) -> str:
        return self.place.digest

    @property
    def host(self) -> str:
        return self.place.host.url

    @property
    def words(self) -> str:
        return f"{self.place.host.name} ({self.place.model}): {self.outcome.value}, {self.error}"


class ChatFailedError(Exception):
    """No host gave a usable answer; `failures` says what each attempt met."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        self.failures = tuple(failures)
        met = "; ".join(failure.words for failure in failures)
        super().__init__(f"no usable answer after {len(self.failures)} attempts: {met}")

    @property
    def unusable_answer(self) -> Failure | None:
        """The last attempt in which a model did answer, only not usably; None when none did."""
        answered = [f for f in self.failures if reaction(f.outcome).blame is Blame.ANSWER]
        return answered[-1] if answered else None

    def __reduce__(self) -> tuple[type["ChatFailedError"], tuple[tuple[Failure, ...]]]:
        return ChatFailedError, (self.failures,)


class PoisonJobError(ChatFailedError):
    """This very question made two hosts fail one after the other, so it is asked of none now."""

    def __init__(self, failures: Sequence[Failure], words: str) -> None:
        super().__init__(failures)
        self.words = words
        self.args = (f"the question is set aside: {words}",)

    def __reduce__(self) -> tuple[type["PoisonJobError"], tuple[tuple[Failure, ...], str]]:  # type: ignore[override]
        return PoisonJobError, (self.failures, self.words)


class NoHostError(UserError):
    """No host answers with any model."""


class NoModelError(UserError):
    """Hosts answer, but none has a model that this request may use."""
