"""One attempt: intent, call, outcome, in that order on record; then its slot goes back."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from rocm_pipeline.fleet import servers, transport
from rocm_pipeline.fleet.answers import NOTICED_LOAD_NS, received_of, seconds_waited, timing_of
from rocm_pipeline.fleet.chat import PROVIDER, ChatRequest, Failure
from rocm_pipeline.fleet.dispatch import Dispatcher
from rocm_pipeline.fleet.health import Finished
from rocm_pipeline.fleet.hosts import Preferences
from rocm_pipeline.fleet.inventory import Place
from rocm_pipeline.fleet.race import Copy
from rocm_pipeline.fleet.reactions import reaction
from rocm_pipeline.fleet.servers import Loaded
from rocm_pipeline.fleet.transport import Answer, Call, Deadlines
from rocm_pipeline.records.journal import Intent, Journal, Received
from rocm_pipeline.records.outcome import Outcome

CHARGED_SECONDS = 30.0
"""For so long a slot counts as taken whose answer we stopped reading."""


class Attempts:
    """Makes calls and records them."""

    def __init__(
        self,
        journal: Journal,
        dispatcher: Dispatcher,
        preferences: Preferences,
        deadlines: Deadlines,
        stopped_seconds: float,
    ) -> None:
        self._journal = journal
        self._dispatcher = dispatcher
        self._preferences = preferences
        self._deadlines = deadlines
        self._stopped_seconds = stopped_seconds

    def make(
        self, request: ChatRequest, failures: Sequence[Failure], queued: float, copy: Copy
    ) -> Answer:
        """Make the call of `copy` and give its slot back; its `attempt_id` is set before."""
        lease, place = copy.lease, copy.place
        first = None
        if copy.copy_of is not None:
            copy.copy_of.began.wait()
            first = copy.copy_of.attempt_id or None
        intent = self.intent(request, place, len(failures) + 1, queued, hedge_of=first)
        others = tuple(
            failure.place.host.url
            for failure in failures
            if failure.place.host != place.host
            and reaction(failure.outcome, failure.error).may_be_the_job
        )
        report = partial(
            Finished,
            host=lease.host,
            model=lease.model,
            job=request.job,
            attempt_no=intent.attempt_no,
            also_failed_on=others,
        )
        try:
            answer = self._call(intent, copy)
        except BaseException as error:
            # The server reads on until it next writes; until then its slot is not free.
            self._dispatcher.release(
                lease,
                report(outcome=Outcome.CANCELLED, error=type(error).__name__),
                charged_seconds=CHARGED_SECONDS,
            )
            raise
        loaded: list[Loaded] = []
        if answer.outcome is Outcome.OK and answer.load_ns > NOTICED_LOAD_NS:
            loaded = self._loaded(place)
            answer = _checked(answer, place, loaded)
        received = received_of(answer)
        # what is used is what is stored, redacted
        answer = replace(answer, parts=[received.text or ""], error=received.error)
        cancelled = answer.outcome is Outcome.CANCELLED
        try:
            # The next question goes out while this answer is written to the disk.
            self._dispatcher.release(
                lease,
                report(
                    outcome=answer.outcome,
                    error=answer.error,
                    timing=timing_of(answer),
                    waited=seconds_waited(answer),
                    offloaded=_offloaded(place, loaded),
                    loaded=tuple(f"{model.name}@{model.digest}" for model in loaded),
                ),
                charged_seconds=self._stopped_seconds if cancelled else 0.0,
            )
        finally:
            self._journal.finish(copy.attempt_id, received)
        return answer

    def intent(
        self,
        request: ChatRequest,
        place: Place,
        attempt_no: int,
        queued: float,
        hedge_of: str | None = None,
    ) -> Intent:
        """Return what is written before the call."""
        return Intent(
            provider=PROVIDER,
            model=place.model,
            model_digest=place.digest,
            system=request.system,
            prompt=request.prompt,
            seed=request.seed,
            options={"options": self._options(request, place.model), "format": request.format},
            host=place.host.url,
            target=request.target,
            purpose=request.purpose,
            role=request.role,
            plan_id=request.plan_id,
            task_id=request.task_id,
            run_id=request.run_id,
            round=request.round,
            attempt_no=attempt_no,
            hedge_of=hedge_of,
            t_queued=queued,
            give_up_seconds=2 * self._deadlines.total,
        )

    def _options(self, request: ChatRequest, model: str) -> dict[str, Any]:
        return {
            **request.options,
            "num_ctx": self._preferences.context_of(model),
            "num_predict": request.max_tokens,
            "seed": request.seed,
        }

    def _call(self, intent: Intent, copy: Copy) -> Answer:
        call = Call(
            model=intent.model,
            system=intent.system,
            prompt=intent.prompt,
            options=intent.options["options"],
            format=intent.options["format"],
            is_loaded=copy.lease.is_loaded,
        )
        host, deadlines = copy.place.host, self._deadlines
        if host.first_token is not None:
            deadlines = replace(deadlines, first_token=host.first_token)
        attempt_id = copy.attempt_id = self._journal.intent(intent)
        copy.began.set()
        try:
            return transport.chat(host.url, call, deadlines, copy.stop)
        except BaseException as error:
            self._journal.finish(
                attempt_id,
                Received(outcome=Outcome.CANCELLED, error=type(error).__name__, t_done=time.time()),
            )
            raise

    def _loaded(self, place: Place) -> list[Loaded]:
        try:
            return servers.loaded(place.host.url, self._deadlines)
        except ConnectionError:
            return []


def _checked(answer: Answer, place: Place, loaded: Sequence[Loaded]) -> Answer:
    """Refuse the answer when another file answered under this name."""
    found = next((model for model in loaded if model.name == place.model), None)
    if found is None or not found.digest or found.digest == place.digest:
        return answer
    said = f"'{place.model}' is {found.digest[:12]} there now, not {place.digest[:12]}"
    return replace(answer, outcome=Outcome.WRONG_MODEL, error=said)


def _offloaded(place: Place, loaded: Sequence[Loaded]) -> str:
    """Say in words when a part of the model is not on the card."""
    found = next((model for model in loaded if model.name == place.model), None)
    # Nothing on a card at all is a machine without one, which is known by its speed.
    if found is None or not 0 < found.bytes_vram < found.bytes:
        return ""
    share = 100 * found.bytes_vram / found.bytes
    return f"only {share:.0f}% of the model is on the card"
