"""The server's own account of what it charged."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Tier = Literal["standard", "batch"]


@dataclass(frozen=True)
class Charge:
    """Tokens by kind; `fresh + write_5m + write_1h + read` is the whole prompt."""

    fresh: int = 0
    write_5m: int = 0
    write_1h: int = 0
    read: int = 0
    out: int = 0
    """Thinking included."""
    thinking: int = 0

    def __add__(self, other: "Charge") -> "Charge":
        return Charge(
            fresh=self.fresh + other.fresh,
            write_5m=self.write_5m + other.write_5m,
            write_1h=self.write_1h + other.write_1h,
            read=self.read + other.read,
            out=self.out + other.out,
            thinking=self.thinking + other.thinking,
        )

    @property
    def write(self) -> int:
        return self.write_5m + self.write_1h

    @property
    def prompt(self) -> int:
        return self.fresh + self.write + self.read


@dataclass(frozen=True)
class Charged:
    """One answer that was paid for, whether or not it arrived."""

    request_id: str
    """The entry's `custom_id` where it was one of a batch."""
    fingerprint: str
    """Equal for equal questions."""
    model: str
    tier: Tier
    charge: Charge


@dataclass
class Tally:
    """Everything that was asked and charged; written under the server's lock."""

    requests: Counter[str] = field(default_factory=Counter[str])
    """Of each endpoint, such as "POST /v1/messages", whatever came of them."""
    statuses: Counter[int] = field(default_factory=Counter[int])
    """HTTP statuses of the answers that were sent."""
    charged: list[Charged] = field(default_factory=list[Charged])

    def total(self, tier: Tier | None = None) -> Charge:
        return add_up(c.charge for c in self.charged if tier in (None, c.tier))

    def of(self, request_id: str) -> Charge:
        """What one request cost; nothing where it was not charged."""
        return add_up(c.charge for c in self.charged if c.request_id == request_id)

    @property
    def duplicates(self) -> int:
        """Answers charged for a question that had been charged before."""
        return len(self.charged) - len({c.fingerprint for c in self.charged})


def add_up(charges: Iterable[Charge]) -> Charge:
    return sum(charges, start=Charge())
