"""A trial of a size that takes long, and what may be found in it."""

from typing import Any, cast

from rocm_pipeline.lab.cases import Trial
from rocm_pipeline.lab.evidence import CaseRecord, Finding, Status
from rocm_pipeline.targets.spec import Target


def trial_of(target: Target, n: int, origin: str = "held out") -> Trial:
    case = target.public_cases[0].model_copy(update={"symbols": {"n": n}})
    return Trial(case, cast(Any, origin), 7)


def record_of(trial: Trial, status: Status) -> CaseRecord:
    passed = status is Status.PASSED
    return CaseRecord(
        case=trial.case,
        origin=cast(Any, trial.origin),
        seed=trial.seed,
        wave=32,
        lane_order="forward",
        status=status,
        max_absolute_error=0 if passed else None,
        worst_ratio=0 if passed else None,
        findings=() if passed else (Finding(status=status, message="found"),),
    )
