"""A planted operator: how it cheats, what finds it, and its honest neighbour."""

from dataclasses import dataclass, field

from rocm_pipeline.integration.job import Check
from rocm_pipeline.lab.evidence import Status
from tests.cheats.model import Cheat
from tests.cheats.python.operators import HONEST, Source

LAUNCHED = 'y = torch.empty_like(x); launch({"x": x}, {}, {}, {"y": y})'
NEVER = "never got 'y' from the kernel"
DIFFERS = "is not what the kernel wrote"
COMPUTES = "where it may only check, allocate and launch"
BRANCHES = "branches on what is not the same everywhere"
CHOOSES = "choose, other than by raising"
PART = "takes a part of a tensor"


@dataclass(frozen=True)
class Found:
    """The check that finds a cheat, with its verdict and the reason it must give."""

    check: Check
    status: Status
    reason: str


@dataclass(frozen=True)
class Planted:
    """One cheat in Python; `twin` is honest code of nearly the same form."""

    number: int
    name: str
    how: str
    source: Source
    by_source: str | None = None
    """Regular expression: what the rules for the source say about it."""
    behind: Found | None = None
    twin: Source = field(default=HONEST)
    alone: bool = False
    """Attacks what runs the checks, so that nothing else may run beside it."""

    def cheats(self) -> tuple[Cheat, ...]:
        """Return what must be caught: by the source, by running it, or both."""
        found: list[Cheat] = []
        if self.by_source:
            name = f"py-{self.name}"
            status, reason = Status.POLICY_VIOLATION, self.by_source
            found.append(Cheat(self.number, name, "python", self.how, status, reason))
        if self.behind:
            found.append(self.running)
        return tuple(found)

    @property
    def running(self) -> Cheat:
        """The cheat as it is found by running it."""
        assert self.behind is not None
        suffix = "-behind-the-rules" if self.by_source else ""
        name, found = f"py-{self.name}{suffix}", self.behind
        return Cheat(self.number, name, "python", self.how, found.status, found.reason)


def cheat(check: Check, reason: str) -> Found:
    return Found(check, Status.CHEAT, reason)


def crash(check: Check, reason: str) -> Found:
    return Found(check, Status.CRASHED, reason)
