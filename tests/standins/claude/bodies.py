"""Bodies as they go over the wire, with every field that the SDK's types have."""

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from tests.standins.claude.endings import Fails, Refuses, Says, UsesTool
from tests.standins.claude.request import Json, Request, count, cut
from tests.standins.claude.tally import Charge, Tier

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
PIECES = 3
"""A streamed text comes in so many parts."""
TOOL_TOKENS = 8
"""What a call to a tool costs beside its input."""


def output_tokens(request: Request, ending: Says | UsesTool | Refuses) -> tuple[int, int]:
    """Return the tokens that an ending puts out, and how many of them are thinking."""
    if isinstance(ending, UsesTool):
        return count(json.dumps(ending.input)) + TOOL_TOKENS, 0
    if isinstance(ending, Refuses):
        return count(ending.text), 0
    limit = _limit(request, ending)
    thinking = min(ending.thinking_tokens, limit)
    return min(thinking + count(ending.text), limit), thinking


def message(
    request: Request, ending: Says | UsesTool | Refuses, charge: Charge, tier: Tier
) -> Json:
    model = ending.model if isinstance(ending, Says) and ending.model else request.model
    stop_reason = _stop_reason(request, ending)
    details = None
    if isinstance(ending, Refuses):
        details = {
            "type": "refusal",
            "category": ending.category,
            "explanation": ending.explanation,
        }
    return {
        "id": request.request_id.replace("req_", "msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "container": None,
        "diagnostics": None,
        "content": _content(request, ending),
        "stop_reason": stop_reason,
        "stop_details": details,
        "stop_sequence": None,
        "usage": _usage(charge, tier),
    }


def events(whole: Json) -> Iterator[Json]:
    """Yield the events that stream a message."""
    usage = {**whole["usage"], "output_tokens": 1, "output_tokens_details": None}
    start = {**whole, "content": [], "stop_reason": None, "stop_details": None, "usage": usage}
    yield {"type": "message_start", "message": start}
    yield {"type": "ping"}
    for index, block in enumerate(whole["content"]):
        yield from _block_events(index, block)
    kept = ("container", "stop_details", "stop_reason", "stop_sequence")
    counted = ("cache_creation_input_tokens", "cache_read_input_tokens", "input_tokens")
    counted += ("output_tokens", "output_tokens_details", "server_tool_use")
    yield {
        "type": "message_delta",
        "delta": {name: whole[name] for name in kept},
        "usage": {name: whole["usage"][name] for name in counted},
    }
    yield {"type": "message_stop"}


def error(fails: Fails, request_id: str | None) -> Json:
    usual = "api_error" if fails.status >= 500 else "invalid_request_error"
    kind = fails.kind or KINDS.get(fails.status, usual)
    return {
        "type": "error",
        "error": {"type": kind, "message": fails.message},
        "request_id": request_id,
    }


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")


def _block_events(index: int, block: Json) -> Iterator[Json]:
    if block["type"] == "text":
        empty = {**block, "text": ""}
        deltas = [{"type": "text_delta", "text": part} for part in _pieces(block["text"])]
    else:
        empty = {**block, "input": {}}
        text = json.dumps(block["input"])
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in _pieces(text)]
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _pieces(text: str) -> list[str]:
    size = max(1, -(-len(text) // PIECES))
    return [text[at : at + size] for at in range(0, len(text), size)]


def _limit(request: Request, ending: Says) -> int:
    return request.max_tokens if ending.limit is None else min(ending.limit, request.max_tokens)


def _stop_reason(request: Request, ending: Says | UsesTool | Refuses) -> str:
    if isinstance(ending, UsesTool):
        return "tool_use"
    if isinstance(ending, Refuses):
        return "refusal"
    whole = ending.thinking_tokens + count(ending.text)
    return "max_tokens" if whole > _limit(request, ending) else "end_turn"


def _content(request: Request, ending: Says | UsesTool | Refuses) -> list[Json]:
    if isinstance(ending, UsesTool):
        return [
            {
                "type": "tool_use",
                "id": request.request_id.replace("req_", "toolu_"),
                "name": ending.name,
                "input": ending.input,
                "caller": {"type": "direct"},
                "toolset_name": None,
            }
        ]
    text = ending.text
    if isinstance(ending, Says):
        text = cut(text, max(0, _limit(request, ending) - ending.thinking_tokens))
    return [{"type": "text", "text": text, "citations": None}] if text else []


def _usage(charge: Charge, tier: Tier) -> dict[str, Any]:
    return {
        "input_tokens": charge.fresh,
        "output_tokens": charge.out,
        "cache_creation_input_tokens": charge.write,
        "cache_read_input_tokens": charge.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": charge.write_5m,
            "ephemeral_1h_input_tokens": charge.write_1h,
        },
        "output_tokens_details": {"thinking_tokens": charge.thinking},
        "server_tool_use": None,
        "service_tier": tier,
        "inference_geo": None,
        "speed": "standard",
    }
