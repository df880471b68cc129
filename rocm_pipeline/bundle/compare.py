"""What was recorded beside what was found here: one row for each claim."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rocm_pipeline.bundle.claims import Kind, Row, Verdict
from rocm_pipeline.bundle.parts import Outcome, Part, parts_of
from rocm_pipeline.lab.evidence import (
    CaseRecord,
    CompileRecord,
    ControlRecord,
    Evidence,
    Speedup,
    Status,
    Tier,
)

_RELATIVE = 1e-3
_ABSOLUTE = 1e-6
"""How far the error of an execution, over what is allowed, may move with the last bits of a
float64 reference, which differ between processors and versions of numpy."""
_MOVING = {"max_absolute_error", "worst_ratio", "findings"}
"""What rounding may change of an execution."""


@dataclass(frozen=True)
class Exactness:
    """Why equal figures cannot be expected here; both empty where they must be equal."""

    other_version: str = ""
    """The harness or the toolchain is another one."""
    other_arithmetic: str = ""
    """The last bits of a float64 reference may differ."""


def compare(
    recorded: Evidence, found: Evidence, exactness: Exactness, *, about_baseline: bool = False
) -> list[Row]:
    """Return a row for each claim of `recorded`, and for what `found` has beyond them."""
    here = {part.key: part for part in parts_of(found)}
    rows = [
        _row(part, here.pop(part.key, None), exactness, about_baseline)
        for part in parts_of(recorded)
    ]
    rows += [_unclaimed(part, exactness, about_baseline) for part in here.values()]
    return rows


def not_asked(recorded: Evidence, reason: str, *, about_baseline: bool = False) -> list[Row]:
    """Return the rows of evidence that was not checked at all."""
    return [
        Row(
            kind=part.kind,
            claim=part.claim,
            recorded=part.words,
            verdict=Verdict.UNCHECKED,
            reason=reason,
            about_baseline=about_baseline,
        )
        for part in parts_of(recorded)
    ]


def _row(part: Part, found: Part | None, exactness: Exactness, about_baseline: bool) -> Row:
    verdict, reason = _judge(part, found, exactness)
    return Row(
        kind=part.kind,
        claim=part.claim,
        recorded=part.words,
        found=found.words if found else "nothing",
        verdict=verdict,
        reason=reason,
        about_baseline=about_baseline,
    )


def _judge(part: Part, found: Part | None, exactness: Exactness) -> tuple[Verdict, str]:
    other = exactness.other_version
    if found is None:
        return (Verdict.UNCHECKED, other) if other else (Verdict.NOT_REPRODUCED, "not found here")
    if part.records == found.records:
        return Verdict.REPRODUCED, ""
    if _timed_out(found) and not _timed_out(part):
        return Verdict.UNCHECKED, "it took longer here than a run may take"
    if other:
        return _judge_loosely(part, found, other)
    if exactness.other_arithmetic and _is_close(part, found):
        return Verdict.REPRODUCED, f"within rounding; {exactness.other_arithmetic}"
    return Verdict.NOT_REPRODUCED, "the figures differ, and nothing here explains it"


def _judge_loosely(part: Part, found: Part, why: str) -> tuple[Verdict, str]:
    """With another harness or compiler figures may differ, but what they say must not."""
    against = _contradiction(part, found)
    if against:
        return Verdict.NOT_REPRODUCED, against
    if part.kind is Kind.OUTCOME:
        return Verdict.REPRODUCED, f"the outcome alone; {why}"
    return Verdict.UNCHECKED, f"{why}; nothing found here contradicts it"


def _contradiction(part: Part, found: Part) -> str:
    """Say what holds with every version and does not hold here; nothing when all does."""
    for pair in zip_longest(part.records, found.records):
        match pair:
            case Outcome() as before, Outcome() as after if _end(before) != _end(after):
                return "another outcome"
            case CompileRecord() as before, CompileRecord() as after if (
                before.status != after.status
            ):
                return "it compiles there or here, not both"
            case Speedup() as before, Speedup() as after if (
                before.low > after.high or after.low > before.high
            ):
                return "the ranges do not overlap"
            case _, ControlRecord() as after if not after.rejected:
                return f"the trivial kernel '{after.name}' passes here"
            case _:
                pass
    fails = _all_passed(part.records) and not _all_passed(found.records)
    return "an execution fails here" if fails else ""


def _end(outcome: Outcome) -> tuple[Status, Tier | None]:
    return outcome.status, outcome.tier


def _all_passed(records: Sequence[object]) -> bool:
    return all(r.status is Status.PASSED for r in records if isinstance(r, CaseRecord))


def _is_close(part: Part, found: Part) -> bool:
    """Whether rounding explains what differs; it moves errors and words about them, no more."""
    pairs = zip_longest(part.records, found.records)
    return all(_are_close(before, after) for before, after in pairs)


def _are_close(before: object, after: object) -> bool:
    match before, after:
        case Outcome(), Outcome():
            return _end(before) == _end(after)
        case CaseRecord(), CaseRecord():
            return _errors_are_close(before, after)
        case _:
            return False  # nothing else depends on the last bits of a reference


def _errors_are_close(before: CaseRecord, after: CaseRecord) -> bool:
    if before.model_dump(exclude=_MOVING) != after.model_dump(exclude=_MOVING):
        return False
    if before.worst_ratio is None or after.worst_ratio is None:
        return before.worst_ratio is after.worst_ratio
    room = _ABSOLUTE + _RELATIVE * before.worst_ratio
    return abs(before.worst_ratio - after.worst_ratio) <= room


def _timed_out(part: Part) -> bool:
    return any(getattr(record, "status", None) is Status.TIMEOUT for record in part.records)


def _unclaimed(part: Part, exactness: Exactness, about_baseline: bool) -> Row:
    """Evidence that leaves out what the harness finds was shortened, or is of another version."""
    other = exactness.other_version
    return Row(
        kind=part.kind,
        claim=part.claim,
        recorded="nothing",
        found=part.words,
        verdict=Verdict.UNCHECKED if other else Verdict.NOT_REPRODUCED,
        reason=other or "the evidence leaves it out",
        about_baseline=about_baseline,
    )
