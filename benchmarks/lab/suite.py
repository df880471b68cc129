"""The suite of kernels in tests/kernels: each must pass, and its twins with a bug must not."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.figures import Figure, Row
from rocm_pipeline.lab.verification import Verdict
from tests.kernels.suite import Bug, SuiteKernel, judged, judged_twin, suite

LEAST_KERNELS = 60
FOUND_AIM_PERCENT = 95.0
_AT_ONCE = 2


@dataclass(frozen=True)
class Outcome:
    """What came of one folder, honest or with a bug in it."""

    kernel: str
    family: str
    bug: str
    """What was done wrong; empty for the kernel as it stands."""
    passed: bool
    named: bool
    """Whether the verdict has the status that the bug must get."""
    said: str
    seconds: float


def measure(console: Console, only: Sequence[str] = ()) -> list[Row]:
    """Verify everything, print what went wrong, and return the rows."""
    kernels = [each for each in suite() if not only or each.name in only]
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(_AT_ONCE) as pool:
        outcomes = [
            outcome
            for found in pool.map(partial(_outcomes, Path(folder)), kernels)
            for outcome in found
        ]
    seconds = time.perf_counter() - begun
    for outcome in outcomes:
        if outcome.passed == bool(outcome.bug):
            what = f"missed: {outcome.bug}" if outcome.bug else f"false alarm: {outcome.said}"
            console.print(f"{outcome.kernel}: {what}", markup=False, highlight=False)
    return rows(outcomes, seconds)


def rows(outcomes: Sequence[Outcome], seconds: float) -> list[Row]:
    """Return the rows of these outcomes, which took so many seconds in all."""
    honest = [each for each in outcomes if not each.bug]
    bugs = [each for each in outcomes if each.bug]
    found = [each for each in bugs if not each.passed]
    named = sum(each.named for each in found)
    share = 100 * len(found) / len(bugs) if bugs else 0.0
    alone = sorted(each.seconds for each in honest) or [0.0]
    return [
        Figure("kernels of the suite", len(honest), "", least=LEAST_KERNELS),
        Figure("  families", len({each.family for each in honest}), ""),
        Figure("  false alarms", sum(not each.passed for each in honest), "", aim=0),
        Figure("seeded bugs", len(bugs), "", least=LEAST_KERNELS),
        Figure("  found", share, "%", least=FOUND_AIM_PERCENT),
        Figure("  found, and called what they are", named, f"of {len(bugs)}"),
        Figure("the whole suite, two at once", seconds, "s"),
        Figure("  one kernel that passes, in the middle", alone[len(alone) // 2], "s"),
    ]


def _outcomes(cache: Path, kernel: SuiteKernel) -> list[Outcome]:
    return list(_each(cache, kernel))


def _each(cache: Path, kernel: SuiteKernel) -> Iterator[Outcome]:
    begun = time.perf_counter()
    verdict = judged(kernel, kernel.folder, cache)
    yield _outcome(kernel, verdict, begun)
    for bug in kernel.bugs:
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as place:
            verdict = judged_twin(kernel, bug, Path(place), cache)
        yield _outcome(kernel, verdict, begun, bug)


def _outcome(
    kernel: SuiteKernel, verdict: Verdict, begun: float, bug: Bug | None = None
) -> Outcome:
    return Outcome(
        kernel=kernel.name,
        family=kernel.family,
        bug=bug.why if bug else "",
        passed=verdict.passed,
        named=bug is not None and verdict.status is bug.status,
        said=f"{verdict.status.value}: {verdict.finding}",
        seconds=time.perf_counter() - begun,
    )
