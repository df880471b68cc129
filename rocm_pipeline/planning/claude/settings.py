"""What is asked of which model, for how much at most: `claude.yaml` over our defaults."""

import os
from collections.abc import Mapping
from enum import Enum
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rocm_pipeline.errors import UserError
from rocm_pipeline.planning.claude.call import Purpose
from rocm_pipeline.planning.claude.prices import PriceRow, Prices, shipped_rows
from rocm_pipeline.strict_yaml import StrictYamlError, read_mapping
from rocm_pipeline.user_files import read_text

CLAUDE_FILE = "claude.yaml"
KEY_VARIABLE = "ANTHROPIC_API_KEY"
URL_VARIABLE = "ANTHROPIC_BASE_URL"
DEFAULT_URL = "https://api.anthropic.com"

CacheTtl = Literal["5m", "1h"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CallSettings(_Frozen):
    """How calls of one purpose are made."""

    model: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    """None: not sent; small models know no effort."""
    max_tokens: int = Field(ge=1, le=128_000)


class Limit(_Frozen):
    """The most that may be spent. What is None is not limited."""

    usd: float | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    """Of every kind, cached ones included."""


class Budgets(_Frozen):
    """A call is made only when its worst case stays within all three."""

    run: Limit
    day: Limit
    """A day of UTC."""
    target: Limit
    """One target over all runs of this home."""


class Baselines(_Frozen):
    """The models that do the coding alone in the paired experiment."""

    best: str
    cheapest: str


class OnUnknown(str, Enum):
    """What to do with a call whose equal may have been paid, and whose answer nobody has."""

    HOLD = "hold"
    """Not make it; whoever asked goes on by rules."""
    RESEND = "resend"
    """Make it again. Both are in the ledger, the first at its worst case."""


class ClaudeSettings(_Frozen):
    """A `claude.yaml`; what it leaves out is as in our `defaults.yaml`."""

    calls: dict[Purpose, CallSettings]
    baselines: Baselines
    budgets: Budgets
    batch: bool
    """Whether scheduled runs ask in batches, at half price."""
    batch_wait_seconds: float = Field(default=4 * 3600.0, gt=0, le=25 * 3600)
    """How long a scheduled run waits for a batch; then rules go on, and what comes is kept."""
    unknown: OnUnknown
    cache_ttl: CacheTtl
    attempts: int = Field(default=3, ge=1, le=10)
    """Times a call is sent at most, where the server says that it may be sent again."""
    longest_wait_seconds: float = Field(default=120.0, ge=0, le=3600)
    """A server that asks for a longer pause than this is given up for now."""
    timeout_seconds: float = Field(default=600.0, gt=0, le=3600)
    """Without a byte for this long the connection counts as lost."""
    prices: tuple[PriceRow, ...] = ()
    """Rows that go before those that come with the product: other models, newer prices."""

    @model_validator(mode="after")
    def _complete(self) -> "ClaudeSettings":
        missing = [purpose.value for purpose in Purpose if purpose not in self.calls]
        if missing:
            raise ValueError(f"calls: nothing is said about '{missing[0]}'")
        return self

    def of(self, purpose: Purpose) -> CallSettings:
        return self.calls[purpose]

    def asking(self, purpose: Purpose, model: str) -> "ClaudeSettings":
        """Return these settings with another model for one purpose."""
        changed = self.calls[purpose].model_copy(update={"model": model})
        return self.model_copy(update={"calls": {**self.calls, purpose: changed}})

    def price_table(self) -> Prices:
        return Prices((*self.prices, *shipped_rows()))


def read_settings(home: Path | None = None) -> ClaudeSettings:
    """Return the settings of a home; UserError, in one line, for what is wrong in its file."""
    text = files("rocm_pipeline.planning.claude").joinpath("defaults.yaml").read_text()
    defaults = read_mapping(text)
    path = home / CLAUDE_FILE if home else None
    if path is None or not os.path.lexists(path):
        return ClaudeSettings.model_validate(defaults)
    settings = _validated(_merged(defaults, _content(path)), path)
    _require_prices(settings, path)
    return settings


class _Taken:
    """The key of this process and of what is forked from it, once it left the environment."""

    key: str | None = None


def take_key() -> None:
    """Take the key out of the environment: no process that is started later inherits it."""
    _Taken.key = api_key()
    os.environ.pop(KEY_VARIABLE, None)


def api_key(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the key, which comes from the environment and nowhere else; None without one."""
    variables = os.environ if environment is None else environment
    taken = _Taken.key if environment is None else None
    return variables.get(KEY_VARIABLE, "").strip() or taken


def has_key(environment: Mapping[str, str] | None = None) -> bool:
    return api_key(environment) is not None


def base_url(environment: Mapping[str, str] | None = None) -> str:
    variables = os.environ if environment is None else environment
    return variables.get(URL_VARIABLE, "").strip().rstrip("/") or DEFAULT_URL


def _content(path: Path) -> dict[str, Any]:
    try:
        return read_mapping(read_text(path, fix="Make it a readable file, or remove it."))
    except StrictYamlError as error:
        raise UserError(
            f"the settings for Claude: the file {error.problem}",
            where=str(path),
            fix=f"{error.fix} {_EXAMPLE}",
        ) from error


def _merged(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return `defaults` with what `own` says; mappings are merged, everything else is replaced."""
    merged = dict(defaults)
    for name, value in own.items():
        old = merged.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _merged(cast(dict[str, Any], old), cast(dict[str, Any], value))
        merged[name] = value
    return merged


def _validated(content: dict[str, Any], path: Path) -> ClaudeSettings:
    try:
        return ClaudeSettings.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part != "[key]") or "file"
        message = first["msg"].removeprefix("Value error, ")
        raise UserError(f"{field}: {message}", where=str(path), fix=_EXAMPLE) from error


def _require_prices(settings: ClaudeSettings, path: Path) -> None:
    """Say before anything is spent that a model has no price."""
    table = settings.price_table()
    named = {call.model for call in settings.calls.values()}
    for model in sorted({*named, settings.baselines.best, settings.baselines.cheapest}):
        table.require(model, where=str(path))


_EXAMPLE = "For example: budgets: {day: {usd: 10}}"
