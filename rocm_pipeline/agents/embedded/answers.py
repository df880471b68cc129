"""The JSON that an Ollama server sends, for the one thing that is served here."""

import json
import re
import time
from datetime import datetime, timedelta, timezone
from typing import Any

from rocm_pipeline.agents.embedded.generation import Generation, count_tokens
from rocm_pipeline.agents.embedded.model import (
    CONTEXT_LENGTH,
    FAMILY,
    MODEL,
    NOT_A_MODEL,
    code_size,
    model_digest,
)
from rocm_pipeline.agents.reply import Reply

VERSION = "0.12.10"
"""The level of Ollama's protocol that is spoken here."""
DEFAULT_KEEP_ALIVE = 300.0
_FOREVER = timedelta(days=365 * 100)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class BadRequestError(ValueError):
    """The request cannot be answered; `status` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def timestamp(moment: datetime | None = None) -> str:
    """Return a time as Ollama writes it."""
    return (moment or datetime.now(timezone.utc)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(keep_alive: object) -> float:
    """Return the seconds of `0`, `-1`, `30`, `"5m"`, `"1h30m"`; below zero means forever."""
    if keep_alive is None:
        return DEFAULT_KEEP_ALIVE
    if isinstance(keep_alive, (int, float)) and not isinstance(keep_alive, bool):
        total = keep_alive
    else:
        total = _parsed(str(keep_alive))
    # said so that it refuses NaN as well, and whole numbers that are too large for a float
    if not abs(total) <= _FOREVER.total_seconds():
        raise BadRequestError(400, f"time: duration {str(keep_alive)[:50]} is out of range")
    return float(total)


def _parsed(text: str) -> float:
    parts = _DURATION.findall(text)
    if not parts or text.lstrip("-") != "".join(number + unit for number, unit in parts):
        raise BadRequestError(400, f'time: invalid duration "{text}"')
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return -total if text.startswith("-") else total


def expiry(keep_alive: float) -> datetime:
    """Return when something that is kept for so many seconds is unloaded."""
    now = datetime.now(timezone.utc)
    return now + (timedelta(seconds=keep_alive) if keep_alive >= 0 else _FOREVER)


def listed() -> dict[str, Any]:
    """Return the entry that lists of models hold; its size is that of the agent's own code."""
    return {
        "name": MODEL,
        "model": MODEL,
        "size": code_size(),
        "digest": model_digest(),
        "details": _DETAILS,
    }


def shown(modified: datetime) -> dict[str, Any]:
    """Return the answer to `/api/show`."""
    return {
        "modelfile": f"# {NOT_A_MODEL}\n",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "license": NOT_A_MODEL,
        "details": _DETAILS,
        "model_info": {
            "general.architecture": FAMILY,
            "general.description": NOT_A_MODEL,
            "general.parameter_count": 0,
            f"{FAMILY}.context_length": CONTEXT_LENGTH,
        },
        "capabilities": ["completion"],
        "modified_at": timestamp(modified),
    }


def counts(prompt: str, generation: Generation, clock: "Clock") -> dict[str, Any]:
    """Return the last record's figures: tokens by rule, nanoseconds as measured, at least one."""
    now = time.perf_counter_ns()
    return {
        "done_reason": generation.done_reason,
        "total_duration": now - clock.start,
        "load_duration": clock.loaded - clock.start,
        "prompt_eval_count": count_tokens(prompt),
        "prompt_eval_duration": max(clock.read - clock.loaded, 1),
        "eval_count": generation.tokens,
        "eval_duration": max(now - clock.read, 1),
    }


class Clock:
    """Measures one request: started, loaded, prompt read; nanoseconds of a steady clock."""

    def __init__(self) -> None:
        self.start = self.loaded = self.read = time.perf_counter_ns()

    def mark_loaded(self) -> None:
        self.loaded = self.read = time.perf_counter_ns()

    def mark_read(self) -> None:
        self.read = time.perf_counter_ns()


def check_format(wanted: object) -> bool:
    """Return whether JSON is asked for; refuses every schema but that of a Reply.

    A model can be held to any schema; what is written here has one form.
    """
    if wanted in (None, ""):
        return False
    if wanted == "json":
        return True
    if not isinstance(wanted, dict):
        raise BadRequestError(400, f"invalid format: {json.dumps(wanted)[:100]}")
    if wanted != Reply.model_json_schema():
        raise BadRequestError(
            400,
            'invalid format: the template agent fills no schema but its own; ask for "json", '
            f"which gives the fields {', '.join(Reply.model_fields)}",
        )
    return True


_DETAILS = {
    "parent_model": "",
    "format": "templates",
    "family": FAMILY,
    "families": [FAMILY],
    "parameter_size": "0",
    "quantization_level": "none",
}
