"""One HTTP call to one Ollama server. The only module that knows the `ollama` client.

Every way in which a call can end is a value, not an exception: a dead, hung, busy, lying or
half-finished server is an `Answer` with its Outcome.
"""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

import httpx

from rocm_pipeline.fleet.bounded_http import BoundedTransport
from rocm_pipeline.fleet.degenerate import repetition
from rocm_pipeline.fleet.stopping import Stop
from rocm_pipeline.interruption import go_on
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.redaction.cutting import cut

# The package makes a client from OLLAMA_HOST when it is imported, and raises where that is no
# address. What the variable says is for hosts.py to read, and to refuse in words.
_named = os.environ.pop("OLLAMA_HOST", None)
import ollama  # noqa: E402

if _named is not None:
    os.environ["OLLAMA_HOST"] = _named

T = TypeVar("T")
Client = ollama.AsyncClient
Question = Callable[[Client], Awaitable[T]]
"""What is asked of a server over the official client."""
_LOOK_SECONDS = 1.0
MAX_ANSWER_CHARACTERS = 4_000_000
"""A server that sends more is broken: no token limit of ours allows it."""
LOOK_EVERY = 2_000
"""Characters after which a growing answer is looked at for repetition."""
MAX_CHARACTERS_PER_TOKEN = 12
"""English and code have 3 to 5; a prompt that counts fewer tokens was cut by the server."""


@dataclass(frozen=True)
class Deadlines:
    """Seconds. `load` is granted on top of `first_token` to a model that is not loaded yet."""

    connect: float = 3.0
    load: float = 300.0
    first_token: float = 300.0
    """Covers reading the prompt."""
    stall: float = 60.0
    total: float = 1800.0


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is sent. `options` is Ollama's own, with seed, num_predict and num_ctx in it."""

    model: str
    system: str
    prompt: str
    options: dict[str, Any]
    format: dict[str, Any] | None = None
    is_loaded: bool = False
    """The server has the model in memory, so there is no loading to wait for."""


@dataclass(kw_only=True)
class Answer:
    """What came back; the text may be partial unless the outcome is OK."""

    outcome: Outcome
    error: str = ""
    parts: list[str] = field(default_factory=list[str])
    model: str | None = None
    t_sent: float = field(default_factory=time.time)
    t_first: float | None = None
    t_done: float = field(default_factory=time.time)
    tokens_in: int = 0
    tokens_out: int = 0
    load_ns: int = 0
    prompt_ns: int = 0
    eval_ns: int = 0
    total_ns: int = 0

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @property
    def seconds(self) -> float:
        return self.t_done - self.t_sent


@dataclass(frozen=True)
class Installed:
    """A model that a server has."""

    name: str
    digest: str
    bytes: int
    family: str


def chat(url: str, call: Call, deadlines: Deadlines, stop: Stop | None = None) -> Answer:
    """Make one call and wait for its end. Runs its own event loop: call it from a plain thread.

    `stop` ends it from another thread, as CANCELLED.
    """
    return asyncio.run(_unless_stopped(_chat(url, call, deadlines, stop or Stop())))


def installed(url: str, deadlines: Deadlines) -> list[Installed]:
    """Return the models of a server; ConnectionError, in one line, when it does not answer so."""
    return ask(url, deadlines, _installed, within=deadlines.connect * 2)


def ask(url: str, deadlines: Deadlines, question: Question[T], *, within: float) -> T:
    """Ask a server what is no chat, `within` so many seconds in all, and wait for the end.

    Raises ConnectionError, in one line, when no such answer comes. Runs its own event loop.
    """
    return asyncio.run(_unless_stopped(_ask(url, deadlines, question, within)))


async def _unless_stopped(talk: Coroutine[object, object, T]) -> T:
    """Await it, unless the command is stopped: mostly no thread that talks hears a signal."""
    task = asyncio.ensure_future(talk)
    while not (await asyncio.wait([task], timeout=_LOOK_SECONDS))[0]:
        go_on()
    return task.result()


async def _ask(url: str, deadlines: Deadlines, question: Question[T], within: float) -> T:
    try:
        async with _Client(url, deadlines) as client:
            return await asyncio.wait_for(question(client), within)
    except _FAULTS as error:
        raise ConnectionError(_explain(error, deadlines)[1]) from error


class _Client(ollama.AsyncClient):
    """The official client, kept from proxies, redirects and keys meant for other servers."""

    def __init__(self, url: str, deadlines: Deadlines) -> None:
        super().__init__(
            url,
            timeout=httpx.Timeout(
                deadlines.load + deadlines.first_token, connect=deadlines.connect
            ),
            follow_redirects=False,
            trust_env=False,
            transport=BoundedTransport(verify=_trusted(), trust_env=False),
        )
        # The client adds OLLAMA_API_KEY for every host; a machine of the fleet has no use for it.
        self._client.headers.pop("authorization", None)

    async def stream_chat(self, call: Call) -> AsyncGenerator[ollama.ChatResponse, None]:
        # `truncate` and `shift`: a prompt that does not fit is an error, not silently cut.
        # The client's own chat() does not offer them.
        body: dict[str, Any] = {
            "model": call.model,
            "messages": [
                {"role": "system", "content": call.system},
                {"role": "user", "content": call.prompt},
            ],
            "options": call.options,
            "stream": True,
            "truncate": False,
            "shift": False,
        }
        if call.format is not None:
            body["format"] = call.format
        parts = await self._request(
            ollama.ChatResponse, "POST", "/api/chat", json=body, stream=True
        )
        async for part in parts:
            yield part


@cache
def _trusted() -> ssl.SSLContext:
    """Certificates, loaded once; SSL_CERT_FILE may name a private authority."""
    return httpx.create_ssl_context()


async def _installed(client: ollama.AsyncClient) -> list[Installed]:
    listing = await client.list()
    return [
        Installed(
            name=model.model,
            digest=model.digest or "",
            bytes=int(model.size or 0),
            family=(model.details.family if model.details else None) or "",
        )
        for model in listing.models
        if model.model
    ]


async def _chat(url: str, call: Call, deadlines: Deadlines, stop: Stop) -> Answer:
    answer = Answer(outcome=Outcome.INCOMPLETE, error="the stream ended without its final record")
    try:
        stop.bind()
        async with _Client(url, deadlines) as client, aclosing(client.stream_chat(call)) as parts:
            await _receive(parts, call, answer, deadlines, stop)
    except _FAULTS as error:
        answer.outcome, answer.error = _explain(error, deadlines)
    except asyncio.CancelledError:
        if not stop.is_set:
            raise
        answer.outcome, answer.error = Outcome.CANCELLED, "another copy of it was answered first"
        answer.tokens_out = len(answer.parts)  # one part is one token, as a rule
    finally:
        stop.unbind()
    answer.t_done = time.time()
    return answer


async def _receive(
    parts: AsyncIterator[ollama.ChatResponse],
    call: Call,
    answer: Answer,
    deadlines: Deadlines,
    stop: Stop,
) -> None:
    """Fill `answer` from the stream; it stays INCOMPLETE when the stream just ends."""
    give_up = time.monotonic() + deadlines.total
    length, looked_at = 0, 0
    to_first = deadlines.first_token + (0.0 if call.is_loaded else deadlines.load)
    while True:
        patience = to_first if answer.t_first is None else deadlines.stall
        part = await _next(parts, answer.t_first is None, patience, give_up, deadlines)
        if part is None:
            return
        if stop.is_set:  # `wait_for` forgets a cancellation that comes together with its result
            raise asyncio.CancelledError
        answer.t_first = answer.t_first or time.time()
        answer.parts.append(part.message.content or "")
        length += len(answer.parts[-1])
        if length > MAX_ANSWER_CHARACTERS:
            raise ValueError(f"it sent more than {MAX_ANSWER_CHARACTERS} characters")
        if length - looked_at > LOOK_EVERY or (part.done and length > LOOK_EVERY):
            looked_at = length
            if repeated := repetition(_end_of(answer.parts)):
                # Leaving the block closes the connection, which ends the runaway.
                _complete(answer, part, call)
                answer.tokens_out = answer.tokens_out or len(answer.parts)
                answer.outcome, answer.error = Outcome.DEGENERATE, repeated
                return
        if part.done:
            _complete(answer, part, call)
            return


async def _next(
    parts: AsyncIterator[ollama.ChatResponse],
    first: bool,
    patience: float,
    give_up: float,
    deadlines: Deadlines,
) -> ollama.ChatResponse | None:
    """Return the next part, or None at the end of the stream."""
    left = give_up - time.monotonic()
    try:
        return await asyncio.wait_for(anext(parts), min(patience, left))
    except StopAsyncIteration:
        return None
    except asyncio.TimeoutError:
        if left < patience:
            raise _TooLateError(f"no end within {deadlines.total:g} s") from None
        what = "first token" if first else "further token"
        raise _TooLateError(f"no {what} within {patience:g} s") from None


def _end_of(parts: Sequence[str]) -> str:
    """Return at least the last few thousand characters, without joining all of a long answer."""
    taken: list[str] = []
    length = 0
    for part in reversed(parts):
        taken.append(part)
        length += len(part)
        if length > 4 * LOOK_EVERY:
            break
    return "".join(reversed(taken))


def _complete(answer: Answer, last: ollama.ChatResponse, call: Call) -> None:
    answer.model = last.model
    answer.tokens_in = last.prompt_eval_count or 0
    answer.tokens_out = last.eval_count or 0
    answer.load_ns = last.load_duration or 0
    answer.prompt_ns = last.prompt_eval_duration or 0
    answer.eval_ns = last.eval_duration or 0
    answer.total_ns = last.total_duration or 0
    answer.outcome, answer.error = _judge(answer, last.done_reason, call)


def _judge(answer: Answer, done_reason: str | None, call: Call) -> tuple[Outcome, str]:
    asked = len(call.system) + len(call.prompt)
    if _full_name(answer.model or "") != _full_name(call.model):
        return Outcome.WRONG_MODEL, f"'{answer.model}' answered instead of '{call.model}'"
    if answer.tokens_in and asked > MAX_CHARACTERS_PER_TOKEN * answer.tokens_in:
        return (
            Outcome.TRUNCATED_PROMPT,
            f"the model read {answer.tokens_in} tokens of a prompt of {asked} characters",
        )
    if done_reason == "length":
        return Outcome.TRUNCATED, f"cut at {answer.tokens_out} tokens"
    if not answer.text.strip():
        return Outcome.EMPTY, f"no text in {answer.tokens_out} tokens"
    return Outcome.OK, ""


def _full_name(model: str) -> str:
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


class _TooLateError(Exception):
    """One of the deadlines passed."""


_FAULTS = (
    _TooLateError,
    httpx.HTTPError,
    httpx.InvalidURL,
    ConnectionError,
    asyncio.TimeoutError,
    ollama.ResponseError,
    # What the client lets through when a server does not speak its protocol: bad JSON, JSON nested
    # too deeply or of another shape (pydantic's error is a ValueError too).
    ValueError,
    RecursionError,
    TypeError,
    AttributeError,
)


def _explain(error: Exception, deadlines: Deadlines) -> tuple[Outcome, str]:
    match error:
        case _TooLateError():
            return Outcome.TIMEOUT, str(error)
        case httpx.ConnectTimeout():
            return Outcome.UNREACHABLE, f"no connection within {deadlines.connect:g} s"
        case httpx.ConnectError() | ConnectionError():
            return Outcome.UNREACHABLE, _why_unreachable(error)
        case httpx.InvalidURL():
            return Outcome.UNREACHABLE, f"its address is no URL ({_short(error)})"
        case httpx.TimeoutException() | asyncio.TimeoutError():
            return Outcome.TIMEOUT, "no answer in time"
        case httpx.TransportError():
            return Outcome.INCOMPLETE, f"the connection broke ({_short(error)})"
        case ollama.ResponseError():
            # a text by custom only: some proxies send an object, or nothing
            said = str(error.error)
            why = _short(error) if said.strip() else f"it answered with status {error.status_code}"
            return _outcome_of_status(error.status_code, said.lower()), why
        case _:
            return Outcome.SERVER_ERROR, f"it does not speak Ollama's protocol ({_short(error)})"


def _why_unreachable(error: BaseException) -> str:
    # The client hides its causes: it raises errors of its own "from None".
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        return f"no TLS connection can be made ({_short(cause)})"
    return "it refuses connections, or its name is unknown"


def _outcome_of_status(status: int, message: str) -> Outcome:
    if status == 404 and "model" in message:
        return Outcome.MODEL_MISSING
    if status == 503:
        return Outcome.SERVER_BUSY
    if status == 429:
        return Outcome.RATE_LIMITED
    if status == 400 and "context" in message:
        return Outcome.TRUNCATED_PROMPT
    return Outcome.SERVER_ERROR


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return cut(text, 200)
