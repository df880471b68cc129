"""Are kernels as fast, one beside the other, as the model says? Needs an AMD GPU.

Six kernels: the built-in targets' two timed cases each, which differ in shape and mostly in element
type. Of each, five schedules of the embedded agent, far apart, so that thirty times are predicted
and measured.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from statistics import mean, median

import pandas as pd

from benchmarks.figures import Figure
from rocm_pipeline.agents.schedules import FAMILIES
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.devices.records import TimingRecord
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.targets.spec import Target

SCHEDULES = 5
LEAST_VARIANTS, LEAST_KERNELS = 30, 6
AIM = 0.9


@dataclass(frozen=True)
class Compared:
    """One variant of one kernel, in microseconds."""

    kernel: str
    predicted: float
    """The geometric middle of the model's range."""
    measured: float
    """The median of its runs."""


def variants(target: Target) -> list[Candidate]:
    """Return `SCHEDULES` kernels of a built-in target: its family's starts, the others drawn."""
    family = FAMILIES[target.family]
    every = (dict(zip(family.knobs, v, strict=True)) for v in product(*family.knobs.values()))
    legal = [schedule for schedule in every if family.allows(target, schedule)]
    drawn = Random(target.name).sample(legal, len(legal))
    chosen = list(family.starts.values())
    chosen += [schedule for schedule in drawn if schedule not in chosen]
    rendered = [family.render(target, schedule) for schedule in chosen[:SCHEDULES]]
    return [
        Candidate(target=target.name, source=one.source, launch_plan=one.launch_plan)
        for one in rendered
    ]


def compare(
    target: Target,
    architecture: str,
    judge: Callable[[Candidate], Evidence],
    time: Callable[[Candidate], TimingRecord],
) -> Iterator[Compared]:
    """Yield every variant of a target that passes on the emulator and is timed on the device."""
    for candidate in variants(target):
        evidence = judge(candidate)
        predicted = {
            estimate.case.name: (estimate.low_microseconds * estimate.high_microseconds) ** 0.5
            for estimate in evidence.estimates
            if estimate.architecture == architecture
        }
        # What is no faster or slower than the baseline has a time all the same.
        for timing in time(candidate).timings if predicted else ():
            if (case := timing.case.name) in predicted:
                measured = median(of_candidate for _, of_candidate in timing.pairs)
                yield Compared(f"{target.name}, {case}", predicted[case], measured)


def rank_correlation(compared: Sequence[Compared]) -> float:
    """Return Spearman's coefficient; ranks of ties are averaged. 0 where nothing differs."""
    predicted = pd.Series([one.predicted for one in compared]).rank()
    measured = pd.Series([one.measured for one in compared]).rank()
    if predicted.nunique() < 2 or measured.nunique() < 2:
        return 0.0
    return float(predicted.corr(measured))


def rows(compared: Sequence[Compared]) -> list[Figure]:
    """Return the coefficient over all variants, and what it is within a kernel.

    Over all, a model that only knows which kernel is large already looks good.
    """
    kernels = {one.kernel for one in compared}
    within = [rank_correlation([c for c in compared if c.kernel == name]) for name in kernels]
    return [
        Figure("variants predicted and timed", len(compared), "", least=LEAST_VARIANTS),
        Figure("  kernels", len(kernels), "", least=LEAST_KERNELS),
        Figure("  rank correlation of the times", rank_correlation(compared), "", least=AIM),
        Figure("  the same within a kernel, mean", mean(within) if within else 0.0, ""),
    ]
