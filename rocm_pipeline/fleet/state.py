"""What the fleet's policy sees and says: plain frozen data, for the service and a simulation alike.

Times are seconds on one clock of the caller's choice (`time.monotonic()` or a simulated one);
only differences are used. A model is named by its identity `name@digest`, so that two hosts
with different files under one name are two models.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Job:
    """One question waiting for an answer, or being answered."""

    id: str
    models: tuple[str, ...]
    """Identities that may answer it, best first; at least one."""
    tokens_in: float
    """Estimated tokens of the prompt."""
    tokens_out: float
    """Estimated tokens of the answer."""
    priority: int = 0
    """Higher goes first."""
    waiting_since: float = 0.0
    avoid: frozenset[tuple[str, str]] = frozenset()
    """(host, identity) pairs that this job has failed on and must not meet again."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What is expected of one model on one host, learnt or assumed."""

    prompt_tps: float
    """Prompt tokens read each second."""
    decode_tps: float
    """Answer tokens written each second."""
    load_seconds: float
    """From a request for the unloaded model to its readiness."""

    def seconds(self, tokens_in: float, tokens_out: float) -> float:
        """Return the time of one answer by the loaded model."""
        return tokens_in / self.prompt_tps + tokens_out / self.decode_tps


@dataclass(frozen=True, slots=True)
class Running:
    """One answer being written in one slot."""

    job_id: str
    model: str
    started: float
    expected_end: float
    hedge: bool = False
    """A second copy of a job that already runs elsewhere."""


@dataclass(frozen=True, slots=True)
class HostState:
    """One host as of now."""

    name: str
    slots: int
    """Answers it writes at once, all models together."""
    busy: tuple[Running, ...] = ()
    resident: tuple[str, ...] = ()
    """Identities loaded, least recently used first (loading ones included)."""
    models: Mapping[str, Speed] = field(default_factory=dict[str, Speed])
    """What it can serve, loaded or not."""
    room: int | None = None
    """Models it keeps loaded at once; None: unknown, taken as one more than it holds."""
    closed: bool = False
    """Takes no new work: reserved for a measurement, quarantined, unreachable, out of hours."""
    closed_models: frozenset[str] = frozenset()
    """Identities of `models` that it must not be asked for now."""

    @property
    def free(self) -> int:
        """Return the slots that may be filled now."""
        return 0 if self.closed else max(0, self.slots - len(self.busy))


@dataclass(frozen=True, slots=True)
class Assignment:
    """Start `job_id` on `host` now."""

    job_id: str
    host: str
    model: str
    expected_end: float
    hedge: bool = False
