"""Claude over the official SDK: every attempt is in the ledger, none is silently paid twice."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import anthropic
from anthropic.types import Message

from rocm_pipeline.planning.claude import failures, wire
from rocm_pipeline.planning.claude.admission import AnsweredError, UnderWayError, admission
from rocm_pipeline.planning.claude.batches import Batches, Patience
from rocm_pipeline.planning.claude.call import Answer, Call, Form, UnansweredError
from rocm_pipeline.planning.claude.failures import Failure
from rocm_pipeline.planning.claude.settings import DEFAULT_URL, ClaudeSettings, OnUnknown
from rocm_pipeline.records.journal import Admission, Intent, Journal, Received
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow
from rocm_pipeline.redaction.process import clean_text

COUNT_SECONDS = 30.0
"""A prompt's tokens are not waited for any longer; then its bytes are the bound."""
COUNT_MARGIN = 1.1
"""The server calls its own count an estimate."""
_GIVE_UP_FACTOR = 6.0
"""After so many times `timeout_seconds` the journal takes a call for lost."""
_EQUAL_PAUSE = 0.5
"""Seconds between two looks at an equal call that somebody else has under way."""


class AnthropicClaude:
    """Claude itself, as `planning.claude.call.Claude`; safe for threads.

    `sleep` takes seconds; `patience` says how long batches are waited for.
    """

    def __init__(
        self,
        records: Records,
        settings: ClaudeSettings,
        *,
        key: str,
        url: str = DEFAULT_URL,
        sleep: Callable[[float], None] = time.sleep,
        patience: Patience | None = None,
    ) -> None:
        self._records = records
        self._settings = settings
        self._prices = settings.price_table()
        self._url = url
        self._sleep = sleep
        self._patience = patience or Patience(deadline=settings.batch_wait_seconds)
        # the journal owns retries, so that each has its row; spans would send what it does not know
        self._client = anthropic.Anthropic(
            api_key=key,
            base_url=url,
            max_retries=0,
            timeout=settings.timeout_seconds,
            open_telemetry=False,
        )

    def ask(self, call: Call[Form]) -> Answer[Form]:
        """Return the answer, or raise `UnansweredError`. An equal call is answered from records.

        One that another step has under way is waited for; one in a batch is not.
        """
        call = self._within_settings(call)
        body = wire.params(call, self._settings)
        if answer := self._recorded(call, body):
            return answer
        self._records.journal.recover()  # what a process left that ended meanwhile is known now
        prompt_tokens = self._prompt_at_most(body)
        for attempt_no in range(1, self._settings.attempts + 1):
            intent = self._intent(call, body, prompt_tokens, attempt_no)
            attempt = _Attempt(self._records.journal, intent, admission(intent, self._settings))
            try:
                ended = self._send(attempt, call, body)
            except AnsweredError:
                if answer := self._recorded(call, body):
                    return answer
                raise
            except UnderWayError as under_way:
                if under_way.in_batch or not self._has_ended(under_way.equal):
                    raise
                if answer := self._recorded(call, body):
                    return answer
                if attempt_no == self._settings.attempts:
                    raise
                continue
            if isinstance(ended, Received):
                return wire.answer(call, ended, attempt.attempt_id, body["model"])
            pause = self._pause(ended)
            if pause is None or attempt_no == self._settings.attempts:
                raise UnansweredError(
                    ended.reason, ended.received.error, attempt_id=attempt.attempt_id
                )
            self._sleep(pause)
        raise AssertionError("at least one attempt is made")

    def ask_all(self, calls: Sequence[Call[Form]]) -> list[Answer[Form] | UnansweredError]:
        """Answer calls that may wait: in a batch, or one by one where batches are turned off.

        What ended meanwhile of earlier batches is written down first.
        """
        batches = self.batches()
        batches.settle()
        if not self._settings.batch:
            return [self._asked(call) for call in calls]
        return batches.ask_all([self._within_settings(call) for call in calls])

    def batches(self) -> Batches:
        """Return what asks in batches; `settle` of it collects what ended meanwhile."""
        return Batches(
            self._client,
            self._records,
            self._settings,
            host=self._url,
            admission=partial(admission, settings=self._settings),
            patience=self._patience,
        )

    def count(self, model: str, text: str) -> int | None:
        """Return how many tokens `text` is for `model`, by the server; None when it does not say.

        Costs nothing, and is no attempt in the ledger.
        """
        return self._counted(model=model, messages=[{"role": "user", "content": clean_text(text)}])

    def close(self) -> None:
        self._client.close()

    def _within_settings(self, call: Call[Form]) -> Call[Form]:
        most = self._settings.of(call.purpose).max_tokens
        return replace(call, max_tokens=min(call.max_tokens, most))

    def _asked(self, call: Call[Form]) -> Answer[Form] | UnansweredError:
        try:
            return self.ask(call)
        except UnansweredError as unanswered:
            return unanswered

    def _has_ended(self, attempt_id: str) -> bool:
        """Wait for a call of somebody else; False when it takes longer than a call can."""
        until = time.monotonic() + _GIVE_UP_FACTOR * self._settings.timeout_seconds
        while time.monotonic() < until:
            self._records.journal.recover()  # its process may end before it does
            row = self._records.database.get(AttemptRow, attempt_id)
            if row is None or row.status != Outcome.PENDING.value:
                return True
            self._sleep(_EQUAL_PAUSE)
        return False

    def _recorded(self, call: Call[Form], body: dict[str, Any]) -> Answer[Form] | None:
        equal = self._intent(call, body, prompt_tokens=0)
        replay = self._records.journal.replay(equal, wire.ANSWERED)
        return None if replay is None else wire.replayed(call, replay)

    def _intent(
        self, call: Call[Form], body: dict[str, Any], prompt_tokens: int, attempt_no: int = 1
    ) -> Intent:
        return wire.intent(
            call,
            body,
            self._prices,
            host=self._url,
            prompt_tokens=prompt_tokens,
            attempt_no=attempt_no,
            give_up_seconds=_GIVE_UP_FACTOR * self._settings.timeout_seconds,
        )

    def _prompt_at_most(self, body: dict[str, Any]) -> int:
        """Return a bound on the prompt's tokens: the server's count, or else one a byte."""
        by_bytes = wire.prompt_at_most(body)
        counted = self._counted(**{name: body[name] for name in body if name != "max_tokens"})
        return by_bytes if counted is None else min(by_bytes, int(COUNT_MARGIN * counted) + 1)

    def _counted(self, **body: Any) -> int | None:
        try:
            with_limit = self._client.with_options(timeout=COUNT_SECONDS)
            return with_limit.messages.count_tokens(**body).input_tokens
        except (anthropic.APIError, *failures.BROKEN):
            return None

    def _send(
        self, attempt: "_Attempt", call: Call[Form], body: dict[str, Any]
    ) -> Received | Failure:
        """Make one attempt and write down how it ended."""
        stream = _Streamed()
        intent, prices = attempt.intent, self._prices
        try:
            stream.read(self._client.with_options(middleware=[attempt]), body)
        except anthropic.APIStatusError as error:
            ended = failures.of_status(error, intent, stream.message, prices)
        except failures.BROKEN as error:
            ended = failures.of_connection(error, intent, stream.message, prices)
        except BaseException as error:
            if attempt.is_written:
                attempt.finish(failures.cancelled(error, intent, stream.message, prices))
            raise
        else:
            ended = failures.of_connection(
                EOFError("the stream ended early"), intent, stream.message, prices
            )
        if stream.message is not None and stream.message.stop_reason is not None:
            # the end came: what happened to the connection after it changes nothing
            ended = wire.received(
                stream.message,
                body["model"],
                prices,
                form=call.form,
                request_id=stream.request_id,
                t_first=stream.t_first,
            )
        attempt.finish(ended if isinstance(ended, Received) else ended.received)
        return ended

    def _pause(self, failure: Failure) -> float | None:
        """Return after how many seconds to try again; None: not at all."""
        if failure.may_be_paid and self._settings.unknown is OnUnknown.HOLD:
            return None
        if failure.pause is None or failure.pause > self._settings.longest_wait_seconds:
            return None
        return failure.pause


class _Attempt(anthropic.Middleware):
    """One attempt in the journal: its intent is written before the request leaves."""

    def __init__(self, journal: Journal, intent: Intent, admit: Admission) -> None:
        self.intent = intent
        self.attempt_id = ""
        self._journal = journal
        self._admit = admit

    @property
    def is_written(self) -> bool:
        return self.attempt_id != ""

    def handle(
        self, request: anthropic.APIRequest, call_next: Callable[[anthropic.APIRequest], Any]
    ) -> Any:
        self.attempt_id = self._journal.intent(self.intent, self._admit)
        return call_next(request)

    def finish(self, ended: Received) -> None:
        self._journal.finish(self.attempt_id, ended)


class _Streamed:
    """A message as far as it has come."""

    def __init__(self) -> None:
        self.message: Message | None = None
        self.request_id: str | None = None
        self.t_first: float | None = None

    def read(self, client: anthropic.Anthropic, body: dict[str, Any]) -> None:
        with client.messages.stream(**body) as stream:
            self.request_id = stream.request_id
            for event in stream:
                if event.type == "message_start" or self.message is not None:
                    self.t_first = self.t_first or time.time()
                    self.message = stream.current_message_snapshot
