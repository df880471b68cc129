"""What the embedded agent answers to each call of Ollama's API, apart from HTTP."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from threading import Lock
from typing import Any

from rocm_pipeline.agents.embedded.answers import (
    BadRequestError,
    Clock,
    check_format,
    counts,
    expiry,
    listed,
    seconds,
    shown,
    timestamp,
)
from rocm_pipeline.agents.embedded.brain import answer
from rocm_pipeline.agents.embedded.generation import Generation, count_tokens
from rocm_pipeline.agents.embedded.model import CONTEXT_LENGTH, is_served
from rocm_pipeline.agents.embedded.question import read_question
from rocm_pipeline.agents.embedded.writing import as_markdown

_Wrap = Callable[[str], dict[str, Any]]


@dataclass(frozen=True)
class Stream:
    """An answer that goes out line by line."""

    lines: Iterator[dict[str, Any]]


@dataclass(frozen=True)
class _Options:
    """The options of a request that mean something here; sampling options change nothing."""

    seed: int
    num_predict: int
    num_ctx: int
    stop: tuple[str, ...]

    @classmethod
    def read(cls, given: object) -> "_Options":
        options: dict[str, Any] = given if isinstance(given, dict) else {}
        stop = options.get("stop") or ()
        try:
            return cls(
                seed=int(options.get("seed") or 0),
                num_predict=int(options.get("num_predict", -1)),
                num_ctx=min(int(options.get("num_ctx") or CONTEXT_LENGTH), CONTEXT_LENGTH),
                stop=(stop,) if isinstance(stop, str) else tuple(map(str, stop)),
            )
        except (OverflowError, TypeError, ValueError) as error:
            raise BadRequestError(400, f"invalid options: {error}") from error


class Service:
    """Answers by rule; its only state is what `/api/ps` shows: whether the agent is loaded."""

    def __init__(self) -> None:
        self._started = datetime.now(timezone.utc)
        self._lock = Lock()
        self._expires: datetime | None = None
        self._context_length = CONTEXT_LENGTH

    def tags(self) -> dict[str, Any]:
        return {"models": [{**listed(), "modified_at": timestamp(self._started)}]}

    def loaded(self) -> dict[str, Any]:
        """Return what is loaded; it takes no GPU memory, so `size_vram` is zero."""
        with self._lock:
            expires, context_length = self._expires, self._context_length
        if expires is None or expires <= datetime.now(timezone.utc):
            return {"models": []}
        entry = {
            **listed(),
            "expires_at": timestamp(expires),
            "size_vram": 0,
            "context_length": context_length,
        }
        return {"models": [entry]}

    def show(self, request: dict[str, Any]) -> dict[str, Any]:
        _require_model(request)
        return shown(self._started)

    def chat(self, request: dict[str, Any]) -> dict[str, Any] | Stream:
        """Answer the last user message; earlier ones count as tokens read and no more."""
        messages: object = request.get("messages") or []
        if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
            raise BadRequestError(400, "messages must be a list of objects")
        texts = [str(message.get("content") or "") for message in messages]
        asked = [t for m, t in zip(messages, texts, strict=True) if m.get("role") == "user"]
        if any(message.get("images") for message in messages):
            raise BadRequestError(400, "the embedded agent reads no images")
        return self._generate(
            request,
            prompt=asked[-1] if asked else "",
            read="".join(texts),
            wrap=lambda text: {"message": {"role": "assistant", "content": text}},
        )

    def generate(self, request: dict[str, Any]) -> dict[str, Any] | Stream:
        """Answer a prompt."""
        prompt = str(request.get("prompt") or "")
        if request.get("images") or request.get("suffix"):
            raise BadRequestError(400, "the embedded agent reads no images and fills no gaps")
        return self._generate(
            request,
            prompt=prompt,
            read=str(request.get("system") or "") + prompt,
            wrap=lambda text: {"response": text},
        )

    def _generate(
        self, request: dict[str, Any], prompt: str, read: str, wrap: _Wrap
    ) -> dict[str, Any] | Stream:
        clock = Clock()
        name = _require_model(request)
        if request.get("think"):
            raise BadRequestError(400, f'"{name}" does not support thinking')
        if request.get("tools"):
            raise BadRequestError(400, f'"{name}" does not support tools')
        as_json = check_format(request.get("format"))
        options = _Options.read(request.get("options"))
        keep_alive = seconds(request.get("keep_alive"))
        if not read:
            return self._load_or_unload(name, keep_alive, options, wrap)
        if count_tokens(read) >= options.num_ctx:
            raise BadRequestError(
                400, f"the prompt of {count_tokens(read)} tokens exceeds num_ctx {options.num_ctx}"
            )
        clock.mark_loaded()
        question = read_question(prompt)
        clock.mark_read()
        reply = answer(question, options.seed)
        text = reply.model_dump_json() if as_json else as_markdown(reply)
        generation = Generation.of(text, options.num_predict, options.stop)
        self._keep(keep_alive, options)
        if request.get("stream", True):
            return Stream(_lines(name, read, generation, clock, wrap))
        return {
            **_head(name),
            **wrap(generation.text),
            "done": True,
            **counts(read, generation, clock),
        }

    def _load_or_unload(
        self, name: str, keep_alive: float, options: _Options, wrap: _Wrap
    ) -> dict[str, Any]:
        """An empty request loads, or unloads when it is kept for no time."""
        self._keep(keep_alive, options)
        reason = "load" if keep_alive else "unload"
        return {**_head(name), **wrap(""), "done": True, "done_reason": reason}

    def _keep(self, keep_alive: float, options: _Options) -> None:
        with self._lock:
            self._expires = expiry(keep_alive)
            self._context_length = options.num_ctx


def _require_model(request: dict[str, Any]) -> str:
    name = request.get("model") or request.get("name")
    if not name:
        raise BadRequestError(400, "model is required")
    if not is_served(str(name)):
        raise BadRequestError(404, f"model '{name}' not found")
    return str(name)


def _head(name: str) -> dict[str, Any]:
    return {"model": name, "created_at": timestamp()}


def _lines(
    name: str, read: str, generation: Generation, clock: Clock, wrap: _Wrap
) -> Iterator[dict[str, Any]]:
    for chunk in generation.chunks():
        yield {**_head(name), **wrap(chunk), "done": False}
    yield {**_head(name), **wrap(""), "done": True, **counts(read, generation, clock)}
