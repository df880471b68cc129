"""Calls to Claude in the form of the SDK, and its messages in ours; single calls and batches."""

import json
import time
from typing import Any, cast

from anthropic import transform_schema
from anthropic.types import Message, Usage
from pydantic import BaseModel, ValidationError

from rocm_pipeline.planning.claude.call import Answer, Block, Call, Form, Reason, UnansweredError
from rocm_pipeline.planning.claude.prices import Prices, Tokens
from rocm_pipeline.planning.claude.settings import ClaudeSettings
from rocm_pipeline.records.journal import Intent, Received, Replay
from rocm_pipeline.records.ledger import ANTHROPIC
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.redaction.process import clean_text

MOST_BREAKPOINTS = 4
"""Cached blocks that the API takes in one request."""
UNSEEN_TOKENS = 2000
"""Allowance for what the server adds to a prompt: the frame of the messages and of the schema."""

ANSWERED = (
    Outcome.OK,
    Outcome.INVALID,
    Outcome.REFUSED,
    Outcome.TRUNCATED,
    Outcome.WRONG_MODEL,
)
"""How a call ends that was answered and paid, best first; an equal call is not paid again."""
_REASONS = {Outcome.REFUSED: Reason.REFUSED, Outcome.TRUNCATED: Reason.TRUNCATED}
_ENDINGS = {
    "refusal": Outcome.REFUSED,
    "max_tokens": Outcome.TRUNCATED,
    "model_context_window_exceeded": Outcome.TRUNCATED,
}
_MOST_PROBLEMS = 20


def params(call: Call[Form], settings: ClaudeSettings) -> dict[str, Any]:
    """Return the body of the request; no secret that we know of is in it."""
    how = settings.of(call.purpose)
    if sum(block.cached for block in call.system) > MOST_BREAKPOINTS:
        raise ValueError(f"more than {MOST_BREAKPOINTS} cached blocks")
    output: dict[str, Any] = {
        "format": {"type": "json_schema", "schema": _untitled(transform_schema(call.form))}
    }
    if how.effort is not None:
        output["effort"] = how.effort
    return {
        "model": how.model,
        "max_tokens": call.max_tokens,
        "system": [_block(block, settings) for block in call.system if block.text],
        "messages": [{"role": "user", "content": clean_text(call.prompt)}],
        "output_config": output,
    }


def prompt_at_most(body: dict[str, Any]) -> int:
    """Return a bound on the tokens of a prompt: none is shorter than a byte."""
    seen = {name: body[name] for name in ("system", "messages", "output_config")}
    return len(json.dumps(seen, ensure_ascii=False).encode()) + UNSEEN_TOKENS


def intent(
    call: Call[Form],
    body: dict[str, Any],
    prices: Prices,
    *,
    host: str,
    prompt_tokens: int,
    attempt_no: int = 1,
    in_batch: bool = False,
    give_up_seconds: float = 3600.0,
) -> Intent:
    """Return the intent to send `body`, whose prompt has at most `prompt_tokens` tokens.

    Whether it goes in a batch, and what of it is cached, does not shape the answer: an equal call
    is equal either way.
    """
    now = time.time()
    model = body["model"]
    worst = prices.worst_case(model, prompt_tokens, call.max_tokens, now, batch=in_batch)
    first, *others = dict.fromkeys(call.targets)
    return Intent(
        provider=ANTHROPIC,
        model=model,
        model_digest="",
        system="\n\n".join(block["text"] for block in body["system"]),
        prompt=body["messages"][0]["content"],
        options={name: body[name] for name in ("max_tokens", "output_config")},
        host=host,
        target=first,
        shared_with=tuple(others),
        purpose=call.purpose.value,
        role="coordinator",
        plan_id=call.plan_id,
        run_id=call.run_id,
        round=call.round,
        attempt_no=attempt_no,
        in_batch=in_batch,
        usd_at_most=float(worst),
        tokens_at_most=prompt_tokens + call.max_tokens,
        price_version=prices.row(model, now).version,
        give_up_seconds=give_up_seconds,
    )


def received(
    message: Message,
    model: str,
    prices: Prices,
    *,
    form: type[BaseModel] | None = None,
    batch: bool = False,
    request_id: str | None = None,
    t_first: float | None = None,
) -> Received:
    """Return how a call to `model` ended that was answered with `message`, and what it cost.

    Without a `form` an answer counts as well-formed: `answer` judges it when it is asked for.
    """
    now = time.time()
    text = "".join(block.text for block in message.content if block.type == "text")
    outcome, error = _ending(message, model, text, form)
    used = tokens(message.usage)
    details, thought = message.stop_details, message.usage.output_tokens_details
    return Received(
        outcome=outcome,
        text=text,
        error=error,
        model_returned=message.model,
        request_id=request_id,
        t_first=t_first,
        t_done=now,
        http_status=200,
        stop_reason=message.stop_reason,
        stop_category=details.category if details else None,
        service_tier=message.usage.service_tier,
        tokens_in=used.fresh,
        tokens_cache_write=used.cache_write_5m + used.cache_write_1h,
        tokens_cache_write_1h=used.cache_write_1h,
        tokens_cache_read=used.cache_read,
        tokens_out=used.out,
        tokens_thinking=thought.thinking_tokens if thought else 0,
        usd=float(prices.price(used, model, now, batch=batch)),
    )


def tokens(usage: Usage) -> Tokens:
    """Return the tokens that a usage bills."""
    written = usage.cache_creation_input_tokens or 0
    for_an_hour = usage.cache_creation.ephemeral_1h_input_tokens if usage.cache_creation else 0
    return Tokens(
        fresh=usage.input_tokens,
        cache_write_5m=written - for_an_hour,
        cache_write_1h=for_an_hour,
        cache_read=usage.cache_read_input_tokens or 0,
        out=usage.output_tokens,
    )


def answer(call: Call[Form], ended: Received, attempt_id: str, model: str) -> Answer[Form]:
    """Return the answer that a call ended with, or raise `UnansweredError`.

    The form is applied anew: what was written down earlier may not fit the form of today.
    """
    text = ended.text or ""
    if ended.outcome not in (Outcome.OK, Outcome.INVALID) or not _is_whole(ended.stop_reason):
        reason = _REASONS.get(ended.outcome, Reason.INVALID)
        raise UnansweredError(reason, ended.error, text=text, attempt_id=attempt_id)
    try:
        value = call.form.model_validate_json(text)
    except ValidationError as error:
        raise UnansweredError(
            Reason.INVALID, _problems(error), text=text, attempt_id=attempt_id
        ) from None
    return Answer(value=value, attempt_id=attempt_id, model=model, text=text)


def replayed(call: Call[Form], replay: Replay) -> Answer[Form]:
    """Return the answer of a recorded call (one of `ANSWERED`), or raise `UnansweredError`."""
    row = replay.attempt
    ended = Received(
        outcome=Outcome(row.status),
        text=replay.text,
        error=row.error,
        stop_reason=row.stop_reason,
        t_done=row.t_done or row.t_sent,
    )
    return answer(call, ended, row.attempt_id, row.model_returned or row.model_requested)


def _untitled(schema: Any) -> Any:
    """Return a schema without titles: they repeat the names of fields, and are paid for."""
    if isinstance(schema, list):
        return [_untitled(item) for item in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    of_schema = cast(dict[str, Any], schema)
    return {
        # below these two stand names of fields and forms, which may be "title" too
        key: {name: _untitled(inner) for name, inner in value.items()}
        if key in ("properties", "$defs")
        else _untitled(value)
        for key, value in of_schema.items()
        if key != "title"
    }


def _block(block: Block, settings: ClaudeSettings) -> dict[str, Any]:
    body: dict[str, Any] = {"type": "text", "text": clean_text(block.text)}
    if block.cached:
        body["cache_control"] = {"type": "ephemeral", "ttl": settings.cache_ttl}
    return body


def _ending(
    message: Message, model: str, text: str, form: type[BaseModel] | None
) -> tuple[Outcome, str]:
    """Return the outcome, and what is wrong with the answer."""
    reason = message.stop_reason
    if not message.model.startswith(model):  # a full name may end with its date
        return Outcome.WRONG_MODEL, f"answered by {message.model}"
    if reason in _ENDINGS:
        return _ENDINGS[reason], _why(message)
    if not _is_whole(reason):
        return Outcome.INVALID, f"the answer ended by {reason}"
    if form is not None:
        try:
            form.model_validate_json(text)
        except ValidationError as error:
            return Outcome.INVALID, _problems(error)
    return Outcome.OK, ""


def _is_whole(stop_reason: str | None) -> bool:
    return stop_reason in ("end_turn", "stop_sequence")


def _why(message: Message) -> str:
    if message.stop_reason != "refusal":
        return f"cut off by {message.stop_reason} after {message.usage.output_tokens} tokens"
    details = message.stop_details
    parts = (details.category, details.explanation) if details else ()
    return ": ".join(part for part in parts if part) or "no category was given"


def _problems(error: ValidationError) -> str:
    """Return what the validator said, a line each; not the values, which are in the text."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'answer'}: {problem['msg']}"
        for problem in found[:_MOST_PROBLEMS]
    ]
    if len(found) > _MOST_PROBLEMS:
        lines.append(f"and {len(found) - _MOST_PROBLEMS} more")
    return "\n".join(lines)
