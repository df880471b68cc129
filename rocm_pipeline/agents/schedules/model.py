"""What schedules are made of: feedback comes in, a proposal goes out, a family is data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from rocm_pipeline.targets.launch_plan import LaunchPlan
from rocm_pipeline.targets.spec import Target

Schedule = Mapping[str, int]
"""Values of a family's knobs, by name."""


@dataclass(frozen=True)
class Tried:
    """A schedule that the harness has judged.

    `speedup` is the geometric mean over cases and architectures of the estimated (or measured)
    ratio to the baseline, None unless the status is PASSED. `spills` counts spilled registers
    over all architectures; `occupancy` is the lowest of the kernels, 0 to 1, by architecture.
    """

    schedule: dict[str, int]
    status: str
    findings: tuple[str, ...] = ()
    speedup: float | None = None
    bottleneck: str | None = None
    spills: int = 0
    occupancy: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def passed(self) -> bool:
        return self.status == "PASSED" and self.speedup is not None


@dataclass(frozen=True)
class Proposal:
    """Source and launch plan of one schedule, with the reason for it in words."""

    source: str
    launch_plan: LaunchPlan
    schedule: dict[str, int]
    explanation: str
    limitations: tuple[str, ...]


class Cue(Enum):
    """What a verdict tells about a schedule; `value` is how explanations say it."""

    SPILLS = "registers spill to memory"
    TOO_LARGE = "it does not fit the machine"
    LOW_OCCUPANCY = "few waves are resident"
    BANK_CONFLICTS = "LDS accesses hit the same banks"
    MEMORY = "device memory limits it"
    CACHE = "the caches limit it"
    LDS = "LDS traffic limits it"
    ARITHMETIC = "arithmetic limits it"
    TRANSCENDENTAL = "exponentials limit it"
    LATENCY = "waiting limits it"
    LAUNCH = "too few blocks or too many launches limit it"


@dataclass(frozen=True)
class Move:
    """A change that helps when one of `cues` holds: each knob goes `step` values up or down."""

    cues: frozenset[Cue]
    steps: Mapping[str, int]
    why: str


@dataclass(frozen=True)
class Rendered:
    """What a family makes of one schedule; `source` lacks the schedule's own first line."""

    source: str
    launch_plan: LaunchPlan


@dataclass(frozen=True)
class Family:
    """An operator family: its schedules and how to improve and render them.

    `knobs` holds the values of each knob in rising order. `legal` says whether a combination may
    run on every shape and architecture of the target. `starts` has one schedule per direction.
    `moves` come in the order of preference.
    """

    name: str
    knobs: Mapping[str, tuple[int, ...]]
    legal: Callable[[Target, Schedule], bool]
    fits: Callable[[Target], bool]
    starts: Mapping[str, Schedule]
    moves: tuple[Move, ...]
    render: Callable[[Target, Schedule], Rendered]
    limitations: tuple[str, ...]

    def allows(self, target: Target, schedule: Schedule) -> bool:
        """Return whether `schedule` names exactly the knobs, with values that go together."""
        return (
            set(schedule) == set(self.knobs)
            and all(value in self.knobs[name] for name, value in schedule.items())
            and self.legal(target, schedule)
        )
