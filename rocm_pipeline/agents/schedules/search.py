"""Hill climbing over a family's schedules, led by what the harness found.

The next schedule is a neighbour of the best one so far. Moves that answer its feedback come
first; a change that made an earlier schedule worse comes last; `seed` breaks what ties are left.
Nothing here draws from a clock or a global generator: the same arguments give the same answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product

from rocm_pipeline.agents.schedules.model import Cue, Family, Move, Schedule, Tried
from rocm_pipeline.targets.spec import Target

LOW_OCCUPANCY = 0.25
"""Below a quarter of the resident waves a CU has little to hide memory latency with."""
_DEFAULT_DIRECTION = "wide"
_BOTTLENECKS = (
    ("device memory", Cue.MEMORY),
    ("infinity cache", Cue.MEMORY),
    ("L2", Cue.CACHE),
    ("L1", Cue.CACHE),
    ("LDS", Cue.LDS),
    ("arithmetic", Cue.ARITHMETIC),
    ("transcendental", Cue.TRANSCENDENTAL),
    ("latency", Cue.LATENCY),
    ("launch", Cue.LAUNCH),
)
_TOO_LARGE = ("exceeds limit", "local memory", "does not fit", "too much LDS")


@dataclass(frozen=True)
class Step:
    """The schedule to try next and why."""

    schedule: Schedule
    why: str


def next_step(
    family: Family, target: Target, history: Sequence[Tried], direction: str, seed: int
) -> Step | None:
    """Return a legal schedule that `history` does not hold, or None when all were tried."""
    start = start_of(family, direction)
    known = [tried for tried in history if family.allows(target, tried.schedule)]
    seen = {_key(tried.schedule) for tried in known}
    if _key(start) not in seen:
        if not known:
            return Step(start, "It is where this direction starts.")
        if not any(tried.passed for tried in known):
            return Step(start, "Nothing has passed yet, so it goes back to the start.")
    bad = _steps_that_lost(known)
    for base in _by_merit(known):
        for step in _neighbours(family, target, base, bad, seed):
            if _key(step.schedule) not in seen:
                return step
    rest = (s for s in schedules_of(family, target) if _key(s) not in seen)
    chosen = min(rest, key=lambda schedule: _draw(seed, _key(schedule)), default=None)
    if chosen is None:
        return None
    return Step(chosen, "All neighbours were tried, so it looks elsewhere.")


def start_of(family: Family, direction: str) -> Schedule:
    """Return the start schedule of a direction; an unknown direction starts wide."""
    return family.starts.get(direction, family.starts[_DEFAULT_DIRECTION])


def schedules_of(family: Family, target: Target) -> Iterator[Schedule]:
    """Yield every legal schedule."""
    for values in product(*family.knobs.values()):
        schedule = dict(zip(family.knobs, values, strict=True))
        if family.legal(target, schedule):
            yield schedule


def cues_of(tried: Tried) -> frozenset[Cue]:
    """Return what a verdict tells about its schedule."""
    text = " ".join(tried.findings)
    cues: set[Cue] = set()
    if tried.spills:
        cues.add(Cue.SPILLS)
    if tried.occupancy and min(tried.occupancy.values()) < LOW_OCCUPANCY:
        cues.add(Cue.LOW_OCCUPANCY)
    if "bank conflict" in text:
        cues.add(Cue.BANK_CONFLICTS)
    if any(mark in text for mark in _TOO_LARGE) or tried.status == "TIMEOUT":
        cues.add(Cue.TOO_LARGE)
    bottleneck = (tried.bottleneck or "").lower()
    cues.update(cue for mark, cue in _BOTTLENECKS if mark.lower() in bottleneck)
    return frozenset(cues)


def _by_merit(known: Sequence[Tried]) -> list[Tried]:
    """Fastest first; then those that did not pass, the latest of them first."""
    passed = [tried for tried in known if tried.passed]
    failed = [tried for tried in reversed(known) if not tried.passed]
    return sorted(passed, key=lambda tried: -(tried.speedup or 0.0)) + failed


def _neighbours(
    family: Family, target: Target, base: Tried, bad: frozenset[tuple[str, int]], seed: int
) -> Iterator[Step]:
    """Yield the legal schedules one move away from `base`, the most promising first."""
    cues = cues_of(base)
    ranked: list[tuple[tuple[bool, bool, int, bytes], Step]] = []
    for index, move in enumerate((*family.moves, *_single_steps(family))):
        schedule = _apply(family, base.schedule, move)
        if schedule is None or not family.legal(target, schedule):
            continue
        answered = sorted(cue.value for cue in move.cues & cues)
        lost = any((name, step) in bad for name, step in move.steps.items())
        order = min(index, len(family.moves))
        rank = (lost, not answered, order, _draw(seed, _key(schedule)))
        because = f"{' and '.join(answered)}: " if answered else ""
        ranked.append((rank, Step(schedule, f"From the best so far, {because}{move.why}.")))
    for _, step in sorted(ranked, key=lambda entry: entry[0]):
        yield step


def _single_steps(family: Family) -> Iterator[Move]:
    for name in family.knobs:
        yield Move(frozenset(), {name: 1}, f"raise {name}")
        yield Move(frozenset(), {name: -1}, f"lower {name}")


def _apply(family: Family, schedule: Schedule, move: Move) -> Schedule | None:
    changed = dict(schedule)
    for name, step in move.steps.items():
        values = family.knobs[name]
        index = values.index(schedule[name]) + step
        if not 0 <= index < len(values):
            return None
        changed[name] = values[index]
    return changed


def _steps_that_lost(known: Sequence[Tried]) -> frozenset[tuple[str, int]]:
    """Return the (knob, +1 or -1) whose latest use made the then best schedule worse."""
    verdicts: dict[tuple[str, int], bool] = {}
    best: Tried | None = None
    for tried in known:
        if best is not None:
            gained = tried.passed and (tried.speedup or 0.0) > (best.speedup or 0.0)
            for name, value in tried.schedule.items():
                if value != best.schedule[name]:
                    verdicts[name, 1 if value > best.schedule[name] else -1] = gained
        if tried.passed and (best is None or (tried.speedup or 0.0) > (best.speedup or 0.0)):
            best = tried
    return frozenset(step for step, gained in verdicts.items() if not gained)


def _key(schedule: Schedule) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(schedule.items()))


def _draw(seed: int, key: object) -> bytes:
    return sha256(f"{seed}:{key}".encode()).digest()
