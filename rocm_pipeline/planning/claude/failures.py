"""How a call ends that brings no whole message: what it is called, cost, and whether to go on."""

import json
import time
from dataclasses import dataclass, replace

import anthropic
import httpx2
from anthropic.types import Message

from rocm_pipeline.planning.claude import wire
from rocm_pipeline.planning.claude.call import Reason
from rocm_pipeline.planning.claude.prices import Prices
from rocm_pipeline.records.journal import Intent, Received
from rocm_pipeline.records.outcome import Outcome

BROKEN = (
    anthropic.APIConnectionError,
    # The SDK lets these through where a connection is cut within a line or what comes is no JSON.
    httpx2.HTTPError,
    json.JSONDecodeError,
    RecursionError,
)
"""What is raised where no whole answer came."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
"""Seconds between attempts where the server names none; doubled each time, as the SDK does."""

_STATUSES = {
    402: Outcome.NOT_PAID,
    429: Outcome.RATE_LIMITED,
    504: Outcome.TIMEOUT,
    529: Outcome.SERVER_BUSY,
}
_TYPES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "billing_error": 402,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The statuses of errors that come within a stream or a batch, which itself has status 200."""
_OVERLOADED = 529
_UNSURE = (408, 409, 499)
"""Below 500: the wait for the request, a lock or the caller ended. Whether work had begun is not
said."""
_AGAIN = (Outcome.RATE_LIMITED, Outcome.SERVER_BUSY)
_REASONS = {
    Outcome.NOT_PAID: Reason.NOT_PAID,
    Outcome.RATE_LIMITED: Reason.RATE_LIMITED,
    Outcome.SERVER_BUSY: Reason.RATE_LIMITED,
    Outcome.REJECTED: Reason.REJECTED,
    Outcome.UNKNOWN: Reason.HELD,
}


@dataclass(frozen=True)
class Failure:
    """The end of an attempt. After `pause` seconds it may be sent again; None: it may not.

    Of one that `may_be_paid`, the settings have a say in that too.
    """

    received: Received
    pause: float | None = None

    @property
    def may_be_paid(self) -> bool:
        return self.received.outcome is Outcome.UNKNOWN

    @property
    def reason(self) -> Reason:
        return reason(self.received.outcome, self.received.http_status)


def reason(outcome: Outcome, http_status: int | None) -> Reason:
    """Return why an attempt that ended so brought no answer."""
    if http_status in (401, 403):
        return Reason.NO_KEY
    return _REASONS.get(outcome, Reason.UNREACHABLE)


def outcome_of_type(error_type: str) -> Outcome:
    """Return the outcome of a batch's entry that ended by an error, which is never charged."""
    return _outcome(_TYPES.get(error_type, 500))


def of_status(
    error: anthropic.APIStatusError, intent: Intent, so_far: Message | None, prices: Prices
) -> Failure:
    """Return what an error of the server means; `so_far` is what had come before it."""
    if so_far is None and is_surely_refused(error):
        return turned_away(error, intent.attempt_no)
    unknown = _cut_off(_said(error, Outcome.UNKNOWN), intent, so_far, prices)
    return Failure(unknown, _pause(error, intent.attempt_no))


def is_surely_refused(error: anthropic.APIStatusError) -> bool:
    """Say that the server took nothing in, so that nothing was charged.

    It says so itself of a limit (429), of overload (529, or the type of it with another status)
    and of what is wrong with the request, the key or the account. An internal error (500), its own
    time-out (504) or what something between it and us says (502, a 503 without that type) may come
    after the work was done.
    """
    status = _status(error)
    return status == _OVERLOADED or (status < 500 and status not in _UNSURE)


def turned_away(error: anthropic.APIStatusError, attempt_no: int) -> Failure:
    """Return what an error means by which the server surely refused a request."""
    outcome = _outcome(_status(error))
    return Failure(_said(error, outcome), _pause(error, attempt_no) if outcome in _AGAIN else None)


def of_connection(
    error: Exception, intent: Intent, so_far: Message | None, prices: Prices
) -> Failure:
    """Return what a lost connection means: without one nothing was sent, later nobody knows."""
    ended = Received(outcome=Outcome.UNREACHABLE, error=_words(error), t_done=time.time())
    if isinstance(error.__cause__, (httpx2.ConnectError, httpx2.ConnectTimeout)):
        return Failure(ended, _doubled(intent.attempt_no))
    unknown = ended.model_copy(update={"outcome": Outcome.UNKNOWN})
    return Failure(_cut_off(unknown, intent, so_far, prices), _doubled(intent.attempt_no))


def cancelled(
    error: BaseException, intent: Intent, so_far: Message | None, prices: Prices
) -> Received:
    """Return the outcome of a call that we ended ourselves; it may go on, and be charged."""
    ended = Received(outcome=Outcome.CANCELLED, error=_words(error), t_done=time.time())
    return _cut_off(ended, intent, so_far, prices)


def _cut_off(ended: Received, intent: Intent, so_far: Message | None, prices: Prices) -> Received:
    """Book the most that a call can have cost whose end did not arrive."""
    if so_far is None:
        return ended.model_copy(update={"usd": intent.usd_at_most, "usd_is_bound": True})
    known = wire.tokens(so_far.usage)
    worst = replace(known, out=max(known.out, intent.options["max_tokens"]))
    usd = float(prices.price(worst, intent.model, ended.t_done))
    spent = wire.received(so_far, intent.model, prices)
    return spent.model_copy(
        update={
            **ended.model_dump(include={"outcome", "error", "t_done", "http_status"}),
            "usd": usd,
            "usd_is_bound": True,
        }
    )


def _outcome(status: int) -> Outcome:
    return _STATUSES.get(status, Outcome.SERVER_ERROR if status >= 500 else Outcome.REJECTED)


def _status(error: anthropic.APIStatusError) -> int:
    """Return the status of an error, by its type where it came within a stream.

    Overload is overload whatever the status: its type stands for nothing else.
    """
    if error.status_code >= 400 and error.type != "overloaded_error":
        return error.status_code
    return _TYPES.get(error.type or "", 500)


def _said(error: anthropic.APIStatusError, outcome: Outcome) -> Received:
    return Received(
        outcome=outcome,
        error=f"{_status(error)} {error.type or ''}: {error.api_message or error.message}",
        request_id=error.request_id,
        http_status=error.status_code,
        t_done=time.time(),
    )


def _pause(error: anthropic.APIStatusError, attempt_no: int) -> float | None:
    """Return what the server asks for, in seconds, or else twice the pause before.

    None where it asks that nothing be sent again.
    """
    headers = error.response.headers
    if headers.get("x-should-retry") == "false":
        return None
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            asked = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if asked >= 0:
            return asked
    return _doubled(attempt_no)


def _doubled(attempt_no: int) -> float:
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt_no - 1))


def _words(error: BaseException) -> str:
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {cause}".removesuffix(": ")
