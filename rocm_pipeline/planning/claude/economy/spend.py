"""Calls, tokens by the way they are billed, and dollars; values that are added and shared."""

from enum import Enum

from pydantic import BaseModel, ConfigDict, computed_field


class Quantity(str, Enum):
    """What spending is compared in; no two of them say the same."""

    USD = "usd"
    TOKENS = "tokens"
    CALLS = "calls"


class Spend(BaseModel):
    """What some calls came to. Fractions come from calls that several targets share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: float = 0.0
    fresh: float = 0.0
    """Prompt tokens that were neither written to the cache nor read from it."""
    cache_write_5m: float = 0.0
    cache_write_1h: float = 0.0
    cache_read: float = 0.0
    out: float = 0.0
    """Tokens of the answer, those of its thinking included."""
    unknown: float = 0.0
    """The most that calls of unknown outcome can have used, beyond what is known of them."""
    usd: float = 0.0
    usd_at_worst: float = 0.0
    """The part of `usd` that is booked at its worst case, for calls of unknown outcome."""

    @computed_field
    @property
    def tokens(self) -> float:
        """All tokens, cached ones and the most of unknown ones included."""
        return self._prompt + self.out + self.unknown

    @property
    def cached_share(self) -> float | None:
        """Share of the prompt tokens that were read from the cache; None without any."""
        return self.cache_read / self._prompt if self._prompt else None

    @property
    def _prompt(self) -> float:
        return self.fresh + self.cache_write_5m + self.cache_write_1h + self.cache_read

    def of(self, quantity: Quantity) -> float:
        return {
            Quantity.USD: self.usd,
            Quantity.TOKENS: self.tokens,
            Quantity.CALLS: self.calls,
        }[quantity]

    def __add__(self, other: "Spend") -> "Spend":
        return Spend(**{name: getattr(self, name) + getattr(other, name) for name in _FIELDS})

    def times(self, factor: float) -> "Spend":
        return Spend(**{name: getattr(self, name) * factor for name in _FIELDS})


_FIELDS = tuple(Spend.model_fields)
NOTHING = Spend()
