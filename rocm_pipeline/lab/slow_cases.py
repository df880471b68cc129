"""Executions that reached the deadline: hung, or too much for a CPU? Smaller sizes tell.

The emulator is some thousand times slower than a GPU, and nobody says how a kernel's work grows
with its sizes. So the same kernel is executed at smaller sizes, each of which doubles one symbol of
the one before. Honest work grows at most eightfold with such a step (as the cube of that symbol);
what ends in an eighth of the deadline at one size and not within all of it at the next one hangs.
Otherwise the largest size that ended is judged in place of the one that did not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import Enum

from rocm_pipeline.lab.cases import Trial
from rocm_pipeline.lab.evidence import CaseRecord, Finding, Status
from rocm_pipeline.targets.subject import Case, Subject

Execute = Callable[[Trial, bool], Sequence[CaseRecord]]
"""Executes a trial, hurried or not: in `HURRIED_SHARE` of the deadline or in all of it."""

FIRST_HALVINGS = 8
"""A case so many halvings smaller is the first to be tried; then the smallest one there is."""


class Speed(Enum):
    """How an execution stands to its deadline."""

    ENDED = "ended"
    """With a pass or with a defect; either is a verdict."""
    ADVANCES = "advances"
    """Its work-items go on ending, but it has too many or too slow ones."""
    STANDS = "stands"
    """No work-item ended in all that time: it may hang."""


def speed_of(records: Sequence[CaseRecord]) -> Speed:
    """Say how an execution with these records stands; a defect counts more than the time."""
    statuses = {finding.status for record in records for finding in record.findings}
    if statuses - {Status.TIMEOUT, Status.INCONCLUSIVE}:
        return Speed.ENDED
    if Status.TIMEOUT in statuses:
        return Speed.STANDS
    return Speed.ADVANCES if statuses else Speed.ENDED


def smaller_sizes(target: Subject, case: Case) -> list[Case]:
    """Return `case` with its largest symbol halved, and again, as far as allowed; smallest first.

    Empty where only the given sizes may be run.
    """
    if target.only_given_sizes:
        return []
    found: list[Case] = []
    # A halving takes a bit from one symbol, so there are no more than these, whatever is allowed.
    for _ in range(sum(case.symbols.values()).bit_length() * len(case.symbols)):
        half = next(_halves(target, case), None)
        if half is None:
            break
        found.append(half)
        case = half
    return found[::-1]


def judge_smaller(
    target: Subject, trial: Trial, late: Sequence[CaseRecord], execute: Execute
) -> Sequence[CaseRecord]:
    """Return what stands for `late`, the records of a trial that reached the deadline.

    Those of a smaller case, with `stands_for`, where the size was too much; `late`, or records of
    a smaller case, with the status TIMEOUT where it hangs; INCONCLUSIVE ones where no smaller case
    ended either.
    """
    smaller = [replace(trial, case=case) for case in smaller_sizes(target, trial.case)]
    records = late
    for first in dict.fromkeys((max(len(smaller) - FIRST_HALVINGS, 0), 0)):
        if not smaller:
            break
        records = execute(smaller[first], True)
        if speed_of(records) is Speed.ENDED:
            return _climb(trial, smaller[first + 1 :], records, late, execute)
    return late if speed_of(records) is Speed.STANDS else records


def _climb(
    trial: Trial,
    larger: Sequence[Trial],
    ended: Sequence[CaseRecord],
    late: Sequence[CaseRecord],
    execute: Execute,
) -> Sequence[CaseRecord]:
    """Go up from records that ended to the largest size that does, or to the one that hangs."""
    for each in larger:
        if any(record.findings for record in ended):
            break
        records = execute(each, True)
        if speed_of(records) is Speed.ENDED:
            ended = records
            continue
        records = execute(each, False)
        if speed_of(records) is Speed.STANDS:
            return records
        return _standing_for(trial, ended if speed_of(records) is Speed.ADVANCES else records)
    else:
        if speed_of(late) is Speed.STANDS and not any(record.findings for record in ended):
            return late
    return _standing_for(trial, ended)


def judge_at_its_size(
    target: Subject, trial: Trial, late: Sequence[CaseRecord], execute: Execute
) -> Sequence[CaseRecord]:
    """Return `late` as it is where it hangs, else INCONCLUSIVE: nothing smaller stands for it.

    One that is wrong at a smaller size is not excused as slow either, and its author is told.
    """
    if speed_of(late) is Speed.ADVANCES:
        return late
    smaller = judge_smaller(target, trial, late, execute)
    wrong = next((each for each in smaller if each.stands_for and each.findings), None)
    if wrong is not None:
        return [_told_of(wrong, record) for record in late]
    return late if speed_of(smaller) is Speed.STANDS else _undecided(late)


def _told_of(wrong: CaseRecord, late: CaseRecord) -> CaseRecord:
    """Return `late`, whose findings tell what is wrong at a smaller size as well."""
    defect = wrong.findings[0]
    words = f"at {wrong.case.name}, where they end, {defect.status.value}: {defect.message}"
    findings = tuple(
        finding.model_copy(update={"message": f"{finding.message}; {words}"})
        for finding in late.findings
    )
    return late.model_copy(update={"findings": findings})


def _undecided(records: Sequence[CaseRecord]) -> list[CaseRecord]:
    return [
        record.model_copy(
            update={
                "status": Status.INCONCLUSIVE,
                "findings": (_too_much(record.findings[0]),),
            }
        )
        for record in records
        if record.findings
    ]


def _too_much(finding: Finding) -> Finding:
    if finding.status is Status.INCONCLUSIVE:
        return finding
    message = f"the kernels do too much at this size for the emulator: {finding.message}"
    return finding.model_copy(update={"status": Status.INCONCLUSIVE, "message": message})


def _standing_for(trial: Trial, records: Sequence[CaseRecord]) -> list[CaseRecord]:
    return [record.model_copy(update={"stands_for": trial.case.name}) for record in records]


def _halves(target: Subject, case: Case) -> Iterator[Case]:
    """Yield `case` with one symbol halved, the largest first, where the target allows it."""
    ranged = [name for name, symbol in target.symbols.items() if symbol.choices is None]
    for name in sorted(ranged, key=case.symbols.__getitem__, reverse=True):
        # rounded up: from 3 to 1 would be more than a halving
        drawn = {**case.symbols, name: (case.symbols[name] + 1) // 2}
        half = case.model_copy(update={"symbols": target.settled(drawn)})
        allowed = all(target.symbols[other].allows(size) for other, size in half.symbols.items())
        is_smaller = sum(half.symbols.values()) < sum(case.symbols.values())
        if is_smaller and allowed and target.admits(half):
            yield half
