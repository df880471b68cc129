"""What a request asks, and how many tokens that is.

The rule for tokens: one for every started 4 bytes of UTF-8, each block of the prompt counted by
itself. The blocks of a prompt are, in this order, the JSON schema of the answer, the tools, the
system prompt and the messages, so that another schema is another prefix, as it is for Claude.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
BYTES_A_TOKEN = 4
SHORT_LIVED = 300.0
LONG_LIVED = 3600.0
BREAKPOINTS = 4
"""The most cache_control marks that a request may have."""

REQUIRED = ("model", "max_tokens", "messages")
SAMPLING = ("temperature", "top_p", "top_k")
"""Gone since API version 2026-10-21; a request that has one of them is an error."""
UNSUPPORTED = frozenset(
    {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
    }
)
"""Keywords that a schema for structured output cannot have."""


class BadRequestError(Exception):
    """What Claude answers with 400."""


@dataclass(frozen=True)
class Block:
    """A part of the prompt; `ttl` is how many seconds the prefix up to its end is cached."""

    text: str
    ttl: float | None

    @property
    def tokens(self) -> int:
        return count(self.text)


@dataclass(frozen=True)
class Request:
    """One question, put directly or as an entry of a batch."""

    request_id: str
    body: Json
    custom_id: str | None = None

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def max_tokens(self) -> int:
        return int(self.body.get("max_tokens", 0))

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def schema(self) -> Json | None:
        """The JSON schema that the answer must have; None where free text is asked for."""
        return (self.body.get("output_config") or {}).get("format", {}).get("schema")

    @property
    def system(self) -> str:
        return "\n".join(_text(part) for part in _parts(self.body.get("system")))

    @property
    def prompt(self) -> str:
        """The text of all messages."""
        parts = [part for message in self.body["messages"] for part in _parts(message["content"])]
        return "\n".join(_text(part) for part in parts)

    @property
    def fingerprint(self) -> str:
        """Equal for requests that ask the same, streamed or not."""
        asked = {name: value for name, value in self.body.items() if name != "stream"}
        return hashlib.sha256(_canonical(asked).encode()).hexdigest()

    @property
    def blocks(self) -> tuple[Block, ...]:
        first = [] if self.schema is None else [Block(_canonical(self.schema), None)]
        parts: list[Json] = list(self.body.get("tools") or []) + _parts(self.body.get("system"))
        for message in self.body["messages"]:
            parts += _parts(message["content"])
        blocks = first + [Block(_text(part), _ttl(part)) for part in parts]
        whole = _ttl(self.body)
        if whole is not None:
            blocks[-1] = Block(blocks[-1].text, whole)
        return tuple(blocks)

    @property
    def tokens(self) -> int:
        """Tokens of the whole prompt."""
        return sum(block.tokens for block in self.blocks)


def count(text: str) -> int:
    """Return the tokens of a text."""
    return -(-len(text.encode()) // BYTES_A_TOKEN)


def cut(text: str, tokens: int) -> str:
    """Return the beginning of `text` that has at most so many tokens."""
    return text.encode()[: tokens * BYTES_A_TOKEN].decode(errors="ignore")


def check(body: Json, required: tuple[str, ...] = REQUIRED) -> None:
    """Raise `BadRequestError` for what the API itself does not take."""
    for name in required:
        if name not in body:
            raise BadRequestError(f"{name}: Field required")
    for name in SAMPLING:
        if name in body:
            raise BadRequestError(f"{name}: this parameter is not supported")
    if body.get("max_tokens", 1) < 1:
        raise BadRequestError("max_tokens: must be at least 1")
    if not body["messages"]:
        raise BadRequestError("messages: at least one message is required")
    request = Request("", body)
    lifetimes = [block.ttl for block in request.blocks if block.ttl is not None]
    if len(lifetimes) > BREAKPOINTS:
        raise BadRequestError(f"at most {BREAKPOINTS} blocks may have cache_control")
    if lifetimes != sorted(lifetimes, reverse=True):
        raise BadRequestError("a ttl of 1h must not come after a ttl of 5m")
    if any(block.ttl is not None and not block.text for block in request.blocks):
        raise BadRequestError("cache_control cannot be set for empty text blocks")
    if request.schema is not None:
        _check_schema(request.schema, "output_config.format.schema")


def _check_schema(schema: Any, where: str) -> None:
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            _check_schema(item, f"{where}.{index}")
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise BadRequestError(f"{where}: additionalProperties must be false")
    # below `properties` and `$defs` stand names, which may be those of keywords
    for name, value in schema.items():
        if name in ("properties", "$defs"):
            for key, inner in value.items():
                _check_schema(inner, f"{where}.{name}.{key}")
        elif name in UNSUPPORTED:
            raise BadRequestError(f"{where}: {name} is not supported")
        elif name not in ("enum", "const", "default", "examples"):
            _check_schema(value, f"{where}.{name}")


def _parts(content: Any) -> list[Json]:
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _text(part: Json) -> str:
    if part.get("type") == "text":
        return str(part["text"])
    return _canonical({name: value for name, value in part.items() if name != "cache_control"})


def _ttl(part: Json) -> float | None:
    mark = part.get("cache_control")
    if mark is None:
        return None
    return LONG_LIVED if mark.get("ttl") == "1h" else SHORT_LIVED


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
