"""What earlier nights achieved for a target, from the records: figures and states, no prose.

Nothing in it was worded by an agent: neither explanations nor compiler messages, which quote the
agent's source. What failed is told by status and by the cases in which it did.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.evidence import CaseRecord, Evidence, Status
from rocm_pipeline.lab.ranking import mean_speedup, score
from rocm_pipeline.records.records import Judged, Records
from rocm_pipeline.targets.spec import Target

NEWEST = 200
"""Kernels that are looked at; what was tried long ago says little about what to try next."""
MAX_BEST = 3
MAX_FAILURES = 6
MAX_TEXT = 1800


@dataclass(frozen=True)
class BestKernel:
    """A kernel that passed, with its estimates in words by architecture."""

    candidate: str
    tasks: tuple[str, ...]
    estimates: tuple[str, ...]
    resources: str


@dataclass(frozen=True)
class Failure:
    """How many kernels failed in the same way."""

    count: int
    status: Status
    where: str


@dataclass(frozen=True)
class Archive:
    """Counts over the kernels that were judged last, each by its newest evidence."""

    judged: int = 0
    passed: int = 0
    outdated: int = 0
    """Judged on an earlier version of the target: not counted, not compared."""
    unreadable: int = 0
    best: tuple[BestKernel, ...] = ()
    failures: tuple[Failure, ...] = ()
    more_failures: int = 0
    """Kernels that failed in other ways than those in `failures`."""

    def text(self) -> str:
        """Return the whole in at most `MAX_TEXT` characters, whole lines only."""
        kept: list[str] = []
        room = MAX_TEXT
        for line in self._lines():
            room -= len(line) + 1
            if room < 0:
                break
            kept.append(line)
        return "\n".join(kept)

    def _lines(self) -> Iterator[str]:
        yield f"{self.judged} kernels of agents were judged, {self.passed} passed every check."
        if self.outdated:
            yield f"{self.outdated} more were judged on an earlier version of the target."
        if self.unreadable:
            yield f"The records of {self.unreadable} more cannot be read."
        for failure in self.failures:
            yield f"- {failure.count} failed: {failure.status.value}, {failure.where}"
        if self.more_failures:
            yield f"- {self.more_failures} failed in other ways"
        for kernel in self.best:
            tasks = ", ".join(kernel.tasks)
            yield f"Passed: {kernel.candidate} of task {tasks}; {kernel.resources}"
            for estimate in kernel.estimates:
                yield f"- {estimate}"


def summarise(records: Records, target: Target) -> Archive:
    """Return the archive of `target`; equal records give an equal archive."""
    current: list[tuple[Judged, Evidence]] = []
    outdated = unreadable = 0
    digest = target.sha256
    for found in records.judged(target.name, NEWEST):
        evidence = _read(records, found)
        if evidence is None:
            unreadable += 1
        elif evidence.identity.target_sha256 != digest:
            outdated += 1
        else:
            current.append((found, evidence))
    passed = [pair for pair in current if pair[1].status is Status.PASSED]
    causes = Counter(_cause(e) for _, e in current if e.status is not Status.PASSED)
    failures = sorted(
        (Failure(count, status, where) for (status, where), count in causes.items()),
        key=lambda failure: (-failure.count, failure.status.value, failure.where),
    )
    return Archive(
        judged=len(current),
        passed=len(passed),
        outdated=outdated,
        unreadable=unreadable,
        best=tuple(_best(passed)),
        failures=tuple(failures[:MAX_FAILURES]),
        more_failures=sum(failure.count for failure in failures[MAX_FAILURES:]),
    )


def _read(records: Records, found: Judged) -> Evidence | None:
    try:
        return Evidence.model_validate_json(records.store.get(found.evidence.json_sha256))
    except (UserError, ValidationError):
        return None


def _best(passed: Iterable[tuple[Judged, Evidence]]) -> Iterator[BestKernel]:
    ranked = sorted(
        ((score(evidence) or 0.0, found, evidence) for found, evidence in passed),
        key=lambda entry: (-entry[0], entry[1].evidence.candidate_id),
    )
    for _, found, evidence in ranked[:MAX_BEST]:
        yield BestKernel(
            candidate=found.evidence.candidate_id,
            tasks=found.tasks,
            estimates=tuple(_estimates(evidence)),
            resources=_resources(evidence),
        )


def _estimates(evidence: Evidence) -> Iterator[str]:
    """Yield for each architecture the estimated speed-up and what holds the kernel back."""
    for name in dict.fromkeys(estimate.architecture for estimate in evidence.estimates):
        limits = dict.fromkeys(e.bottleneck for e in evidence.estimates if e.architecture == name)
        mean = mean_speedup(evidence, name)
        speedup = f"{mean[0]:.2f} to {mean[1]:.2f}x" if mean else "no speed-up"
        yield f"{name}: estimated {speedup}, held back by {', '.join(limits)}"


def _resources(evidence: Evidence) -> str:
    kernels = [kernel for record in evidence.compiles for kernel in record.kernels]
    spilled = [
        record.architecture
        for record in evidence.compiles
        if any(kernel.vgpr_spills or kernel.scratch_bytes for kernel in record.kernels)
    ]
    return (
        f"up to {max(kernel.vgprs for kernel in kernels)} VGPRs, "
        f"{max(kernel.lds_bytes for kernel in kernels)} B static LDS, "
        f"lowest occupancy {min(kernel.occupancy for kernel in kernels):.2f}, "
        f"scratch memory on {', '.join(spilled) or 'no architecture'}"
    )


def _cause(evidence: Evidence) -> tuple[Status, str]:
    """Return the status and where it came up, in words that many failures can share."""
    failed = [case for case in evidence.cases if case.status is evidence.status]
    broken = [r.architecture for r in evidence.compiles if r.status is evidence.status]
    if failed:
        return evidence.status, _cases(evidence, failed)
    if broken:
        return evidence.status, f"for {', '.join(broken)}"
    return evidence.status, "before anything was run"


def _cases(evidence: Evidence, failed: list[CaseRecord]) -> str:
    """Say on which cases, and what those have in common that others which passed have not."""
    ran = [case for case in evidence.cases if case.status is not Status.NOT_RUN]
    parts = [f"on {', '.join(sorted({case.origin for case in failed}))} cases"]
    waves = {case.wave for case in failed}
    if len(waves) == 1 < len({case.wave for case in ran}):
        parts.append(f"with waves of {waves.pop()} only")
    types = {_types(case) for case in failed}
    if len(types) == 1 < len({_types(case) for case in ran}):
        parts.append(f"with {types.pop()} only")
    return ", ".join(parts)


def _types(record: CaseRecord) -> str:
    return ", ".join(f"{name}={t.suffix}" for name, t in sorted(record.case.dtypes.items()))
