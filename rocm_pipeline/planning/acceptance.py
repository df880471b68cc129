"""What the harness must find before a kernel task counts as done, in the harness's own terms."""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.lab.ranking import mean_speedup
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Target


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bounds(_Frozen):
    """`|actual - reference| <= absolute + relative * |reference|`."""

    absolute: float
    relative: float


class Acceptance(_Frozen):
    """A pass at T2 with the target's own tolerance; a planner chooses the aim alone.

    `speedup` is an estimate over the baseline, the geometric middle of its range over the timing
    cases, to be reached on each of `architectures`. It is an aim: what goes on is decided by rank.
    """

    status: Literal[Status.PASSED] = Status.PASSED
    tier: Literal["T2"] = "T2"
    tolerance: dict[DType, Bounds]
    architectures: tuple[str, ...] = Field(min_length=1)
    speedup: float = Field(default=1.0, ge=1)

    def unmet(self, evidence: Evidence) -> tuple[str, ...]:
        """Return what `evidence` does not show of this; empty when it shows all of it."""
        if evidence.status is not self.status:
            return (f"the harness says {evidence.status.value}",)
        # a pass is at T2 or above, which the evidence itself holds
        missing: list[str] = []
        for name in self.architectures:
            if name not in evidence.architectures_compiled:
                missing.append(f"{name}: not compiled")
            elif (found := mean_speedup(evidence, name)) is None:
                missing.append(f"{name}: no estimate of the speed-up")
            elif (middle := math.sqrt(found[0] * found[1])) < self.speedup:
                missing.append(f"{name}: estimated {middle:.2f}x, not {self.speedup:g}x")
        return tuple(missing)


def acceptance_for(
    target: Target, architectures: tuple[str, ...] = (), speedup: float = 1.0
) -> Acceptance:
    """Return what a kernel for `target` must reach; without `architectures`, on all of its own."""
    return Acceptance(
        tolerance={
            dtype: Bounds(absolute=bound.absolute, relative=bound.relative)
            for dtype, bound in target.tolerance.items()
        },
        architectures=architectures or target.architectures,
        speedup=speedup,
    )
