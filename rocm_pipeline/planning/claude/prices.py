"""What tokens cost: a dated table, and arithmetic over it. Prices are in no code."""

from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from rocm_pipeline.errors import UserError
from rocm_pipeline.strict_yaml import read_mapping

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Tokens of one call, each counted once."""

    fresh: int = 0
    """Of the prompt, neither read from a cache nor written to one."""
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    out: int = 0
    """Thinking included."""

    @property
    def prompt(self) -> int:
        return self.fresh + self.cache_write_5m + self.cache_write_1h + self.cache_read


class Band(BaseModel):
    """USD per million tokens, for prompts of up to `up_to` tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    up_to: int | None = Field(default=None, gt=0)
    fresh: Decimal = Field(alias="in", ge=0)
    out: Decimal = Field(ge=0)
    cache_read: Decimal = Field(ge=0)
    cache_write_5m: Decimal = Field(ge=0)
    cache_write_1h: Decimal = Field(ge=0)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        # 0.1 in the file is a tenth, not the binary fraction beside it
        return str(value) if isinstance(value, float) else value

    def of(self, tokens: Tokens) -> Decimal:
        return (
            self.fresh * tokens.fresh
            + self.cache_write_5m * tokens.cache_write_5m
            + self.cache_write_1h * tokens.cache_write_1h
            + self.cache_read * tokens.cache_read
            + self.out * tokens.out
        ) / _MILLION

    def dearest(self, prompt: int, out: int) -> Decimal:
        """Return the most that so many tokens can cost, however they are cached."""
        rate = max(self.fresh, self.cache_write_5m, self.cache_write_1h, self.cache_read)
        return (rate * prompt + self.out * out) / _MILLION


class PriceRow(BaseModel):
    """The prices of one model from a day on, and who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    effective: date
    source: str = Field(min_length=1)
    bands: tuple[Band, ...] = Field(min_length=1)

    @field_validator("bands")
    @classmethod
    def _rising(cls, bands: tuple[Band, ...]) -> tuple[Band, ...]:
        limits = [band.up_to for band in bands]
        bounded = [limit for limit in limits[:-1] if limit is not None]
        if limits[-1] is not None or len(bounded) != len(limits) - 1 or bounded != sorted(bounded):
            raise ValueError("bands must rise by `up_to`, and only the last has none")
        return bands

    @property
    def version(self) -> str:
        """Names the row in the ledger."""
        return f"{self.model}@{self.effective.isoformat()}"

    def band(self, prompt: int) -> Band:
        return next(band for band in self.bands if band.up_to is None or prompt <= band.up_to)


class _Shipped(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    batch: Decimal = Field(gt=0, le=1)
    rows: tuple[PriceRow, ...]


class Prices:
    """Prices by model and time. Of two rows of one model and day the first given holds."""

    def __init__(self, rows: tuple[PriceRow, ...]) -> None:
        self._rows = rows

    def require(self, model: str, *, where: str = "prices of Claude") -> None:
        """Raise UserError when there is no price of `model`."""
        if not any(row.model == model for row in self._rows):
            known = ", ".join(sorted({row.model for row in self._rows}))
            raise UserError(
                f"the model '{model}' has no price, so that no budget can be kept",
                where=where,
                fix=f"Name one of {known}, or give its price under `prices` in claude.yaml.",
            )

    def row(self, model: str, at: float) -> PriceRow:
        """Return the row that holds for `model` at `at` (seconds, epoch); UserError without one."""
        self.require(model)
        day = datetime.fromtimestamp(at, timezone.utc).date()
        rows = [row for row in self._rows if row.model == model]
        begun = [row for row in rows if row.effective <= day]
        if begun:
            return max(begun, key=lambda row: row.effective)
        return min(rows, key=lambda row: row.effective)

    def price(self, tokens: Tokens, model: str, at: float, *, batch: bool = False) -> Decimal:
        """Return what a call cost, in USD."""
        usd = self.row(model, at).band(tokens.prompt).of(tokens)
        return usd * _shipped().batch if batch else usd

    def worst_case(
        self, model: str, prompt_at_most: int, max_tokens: int, at: float, *, batch: bool = False
    ) -> Decimal:
        """Return the most a call can cost, in USD: all of its prompt at the dearest rate."""
        row = self.row(model, at)
        # a shorter prompt may be in a lower band, which need not be the cheaper one
        reached = row.bands[: row.bands.index(row.band(prompt_at_most)) + 1]
        usd = max(band.dearest(prompt_at_most, max_tokens) for band in reached)
        return usd * _shipped().batch if batch else usd


def shipped_rows() -> tuple[PriceRow, ...]:
    """Return the rows that come with the product."""
    return _shipped().rows


@cache
def _shipped() -> _Shipped:
    text = files("rocm_pipeline.planning.claude").joinpath("prices.yaml").read_text()
    return _Shipped.model_validate(read_mapping(text))
