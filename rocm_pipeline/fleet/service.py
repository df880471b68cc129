"""The fleet: give it a request, get an answer from whichever host and model is best placed."""

import logging
import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet import transport
from rocm_pipeline.fleet.hosts import FleetConfig, Host, Preferences, default_preferences
from rocm_pipeline.fleet.inventory import HostReport, Inventory, Place
from rocm_pipeline.fleet.policy import (
    ANSWER_FAULTS,
    DEAD_FAULTS,
    MODEL_FAULTS,
    BestModelFirst,
    Policy,
    Slots,
    left_after,
)
from rocm_pipeline.fleet.transport import Answer, Call, Deadlines
from rocm_pipeline.records.journal import CleanText, Intent, Journal, Received, Replay
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.store import StoreCorruptError

PROVIDER = "ollama"
MAX_ATTEMPTS = 4
"""Calls for one request, over all hosts and models."""
FIRST_PAUSE_SECONDS = 0.5
"""Before the same host is asked again; doubles each time, with jitter."""

_log = logging.getLogger(__name__)

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
        answered = [failure for failure in self.failures if failure.outcome in ANSWER_FAULTS]
        return answered[-1] if answered else None

    def __reduce__(self) -> tuple[type["ChatFailedError"], tuple[tuple[Failure, ...]]]:
        return ChatFailedError, (self.failures,)


class NoHostError(UserError):
    """No host answers with any model."""


class NoModelError(UserError):
    """Hosts answer, but none has a model that this request may use."""


class Fleet:
    """Hosts, their models and the journal that remembers every call; safe for threads."""

    def __init__(
        self,
        hosts: Sequence[Host],
        journal: Journal,
        *,
        preferences: Preferences | None = None,
        deadlines: Deadlines | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._journal = journal
        self._preferences = preferences or default_preferences()
        self._deadlines = deadlines or Deadlines()
        self._inventory = Inventory(hosts, self._preferences, self._deadlines)
        self._slots = Slots(policy or BestModelFirst())

    def survey(self, *, require: bool = False) -> list[HostReport]:
        """Ask every host for its models; with `require`, UserError unless one has any."""
        reports = self._inventory.reports()
        for report in reports:
            if report.error:
                _log.warning("%s", _complaint(report))
        if require and not any(report.models for report in reports):
            raise _nothing_there(reports)
        return reports

    def models_for(self, role: str) -> tuple[str, ...]:
        """Return the models that may answer for a role, best first."""
        places = self._inventory.places(role)
        return tuple(dict.fromkeys(place.model for place in places))

    def chat(self, request: ChatRequest, exclude_models: Collection[str] = ()) -> ChatReply:
        """Answer a request, from the journal when an equal one was answered before.

        `exclude_models` holds names or digests. Raises ChatFailedError when every attempt failed,
        NoModelError when no model is left to ask, NoHostError when no host answers at all.
        """
        queued = time.time()
        places = self._places(request.role, exclude_models)
        stored = self._stored(request, places)
        if stored is not None:
            return _replayed(stored)
        failures: list[Failure] = []
        while places and len(failures) < MAX_ATTEMPTS:
            with self._slots.occupied(places) as place:
                intent = self._intent(request, place, len(failures) + 1, queued)
                attempt_id, answer = self._attempt(intent, place)
            if answer.outcome is Outcome.OK:
                return _fresh(attempt_id, place, answer)
            failures.append(_failure(attempt_id, place, answer))
            _log.warning("%s", failures[-1].words)
            places = left_after(place, answer.outcome, places)
            if place in places and len(failures) < MAX_ATTEMPTS:
                _pause(len(failures))
            else:
                self._note(place, answer)
        raise ChatFailedError(failures)

    def _places(self, role: str, exclude_models: Collection[str]) -> list[Place]:
        places = self._inventory.places(role, exclude_models)
        if places:
            return places
        reports = self._inventory.reports()
        if not any(report.models for report in reports):
            raise _nothing_there(reports)
        wanted = ", ".join(self._preferences.of(role)[:3])
        barred = f" other than {', '.join(sorted(exclude_models))}" if exclude_models else ""
        raise NoModelError(
            f"no host has a model for the role '{role}'{barred}",
            where="fleet",
            fix=f"Pull one there ({wanted}, ...), or name one of its models in fleet.yaml.",
        )

    def _stored(self, request: ChatRequest, places: Sequence[Place]) -> Replay | None:
        # Equal models give equal intents, whatever the host: one look-up for each is enough.
        for place in {place.identity: place for place in places}.values():
            try:
                replay = self._journal.replay(self._intent(request, place, 1, 0.0))
            except StoreCorruptError as error:
                # The fleet's answers cost nothing: asking again mends the store.
                _log.warning("a stored answer is damaged and is asked for again: %s", error)
                continue
            if replay is not None:
                return replay
        return None

    def _options(self, request: ChatRequest) -> dict[str, Any]:
        return {
            **request.options,
            "num_ctx": self._preferences.num_ctx,
            "num_predict": request.max_tokens,
            "seed": request.seed,
        }

    def _intent(self, request: ChatRequest, place: Place, attempt_no: int, queued: float) -> Intent:
        return Intent(
            provider=PROVIDER,
            model=place.model,
            model_digest=place.digest,
            system=request.system,
            prompt=request.prompt,
            seed=request.seed,
            options={"options": self._options(request), "format": request.format},
            host=place.host.url,
            target=request.target,
            purpose=request.purpose,
            role=request.role,
            plan_id=request.plan_id,
            task_id=request.task_id,
            run_id=request.run_id,
            round=request.round,
            attempt_no=attempt_no,
            t_queued=queued,
            give_up_seconds=2 * self._deadlines.total,
        )

    def _attempt(self, intent: Intent, place: Place) -> tuple[str, Answer]:
        call = Call(
            model=intent.model,
            system=intent.system,
            prompt=intent.prompt,
            options=intent.options["options"],
            format=intent.options["format"],
        )
        attempt_id = self._journal.intent(intent)
        try:
            answer = transport.chat(place.host.url, call, self._deadlines)
        except BaseException as error:
            self._journal.finish(
                attempt_id,
                Received(outcome=Outcome.CANCELLED, error=type(error).__name__, t_done=time.time()),
            )
            raise
        received = _received(answer)
        self._journal.finish(attempt_id, received)
        # what is used is what was stored, redacted
        return attempt_id, replace(answer, parts=[received.text or ""], error=received.error)

    def _note(self, place: Place, answer: Answer) -> None:
        if answer.outcome in DEAD_FAULTS:
            self._inventory.mark_down(place.host, answer.error)
        elif answer.outcome in MODEL_FAULTS:
            self._inventory.forget(place.host)


def _received(answer: Answer) -> Received:
    return Received(
        outcome=answer.outcome,
        text=answer.text or None,
        error=answer.error,
        model_returned=answer.model,
        t_first=answer.t_first,
        t_done=answer.t_done,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        load_ns=answer.load_ns,
        prompt_ns=answer.prompt_ns,
        eval_ns=answer.eval_ns,
        total_ns=answer.total_ns,
    )


def _replayed(replay: Replay) -> ChatReply:
    row = replay.attempt
    return ChatReply(
        text=replay.text,
        model=row.model_requested,
        digest=row.model_digest,
        host=row.host,
        attempt_id=row.attempt_id,
        replayed=True,
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
        seconds=(row.t_done or row.t_sent) - row.t_sent,
    )


def _fresh(attempt_id: str, place: Place, answer: Answer) -> ChatReply:
    return ChatReply(
        text=answer.text,
        model=place.model,
        digest=place.digest,
        host=place.host.url,
        attempt_id=attempt_id,
        replayed=False,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        seconds=answer.seconds,
    )


def _failure(attempt_id: str, place: Place, answer: Answer) -> Failure:
    return Failure(
        attempt_id=attempt_id,
        place=place,
        outcome=answer.outcome,
        error=answer.error,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
    )


def _pause(failed: int) -> None:
    # Jitter keeps several requests from coming back to a busy host in step.
    time.sleep(FIRST_PAUSE_SECONDS * 2 ** (failed - 1) * random.uniform(0.5, 1.5))


def _complaint(report: HostReport) -> str:
    if report.error:
        return f"host '{report.host.name}' at {report.host.url}: {report.error}"
    return f"host '{report.host.name}' at {report.host.url} has no models"


def require_models(config: FleetConfig) -> None:
    """Raise UserError unless a host of the configured fleet answers and has a model."""
    reports = Inventory(config.hosts, config.preferences, Deadlines()).reports()
    if not any(report.models for report in reports):
        raise _nothing_there(reports)


def _nothing_there(reports: Sequence[HostReport]) -> NoHostError:
    return NoHostError(
        "no Ollama server can be used: " + "; ".join(_complaint(report) for report in reports),
        where="fleet",
        fix="Start it (ollama serve) and pull a model, or correct fleet.yaml or OLLAMA_HOST.",
    )
