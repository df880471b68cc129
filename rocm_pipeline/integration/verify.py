"""Verification of an operator package: everything of it runs in the sandbox, or not at all."""

import secrets
import tempfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
from pydantic import ValidationError

from rocm_pipeline.integration import policy
from rocm_pipeline.integration.evidence import CheckRecord, OperatorEvidence
from rocm_pipeline.integration.interpreter import LIMITS, interpreter, torch_version
from rocm_pipeline.integration.job import (
    JOB_FILE,
    NEEDS_BACKWARD,
    RESULTS_FILE,
    Check,
    CheckResult,
    GradcheckJob,
    Job,
    JobCase,
    Results,
    ends_the_run,
)
from rocm_pipeline.integration.judge import Judge
from rocm_pipeline.integration.operator_cases import OperatorCase, bad_calls, operator_cases
from rocm_pipeline.integration.package import OperatorPackage, parameters
from rocm_pipeline.lab.emulator import TorchLibrary
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import (
    Completed,
    ResultRefused,
    Sandbox,
    read_result,
    temporary_box,
)
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Target

SECONDS_PER_CHECK = 120.0
HOW_TO_ADD_TORCH = "PyTorch is not installed; run `pip install 'rocm-pipeline[torch]'`"

_MODULE = "rocm_pipeline.integration.inside.run"
_MAX_RESULTS = 1 << 20
_SENTINELS = range(17, 120)


def verify(
    package: OperatorPackage,
    target: Target,
    libraries: TorchLibrary,
    sandbox: Sandbox,
    *,
    seed: int | None = None,
    seconds_per_check: float = SECONDS_PER_CHECK,
    only: Collection[Check] = tuple(Check),
) -> OperatorEvidence:
    """Run every check on `package` and return what was found; raises for no fault of `op.py`.

    Inputs are drawn from `seed`, by default a fresh secret one. Without PyTorch in this
    environment everything that would run is NOT_RUN, as is what `only` leaves out.
    """
    seed = secrets.randbits(63) if seed is None else seed
    version = torch_version()
    records = _static(package, target)
    if version is not None and not records[Check.POLICY].message:
        cases = operator_cases(target, seed)
        job = make_job(package, target, cases, seed, seconds_per_check, only)
        records |= _dynamic(package, target, job, cases, libraries, sandbox)
    reason = _why_not_run(version, records[Check.POLICY])
    return OperatorEvidence(
        target=target.name,
        candidate=package.candidate,
        package_sha256=package.sha256,
        seed=seed,
        torch_version=version,
        checks=tuple(records.get(check, _not_run(check, reason)) for check in Check),
    )


def _static(package: OperatorPackage, target: Target) -> dict[Check, CheckRecord]:
    """Judge what needs no run: the policy, and what the target does not ask for."""
    broken = policy.violations(target, package.text("op.py"))
    status = Status.POLICY_VIOLATION if broken else Status.PASSED
    found = {
        Check.POLICY: CheckRecord(check=Check.POLICY, status=status, message="; ".join(broken))
    }
    if target.pytorch.backward is None:
        for check in NEEDS_BACKWARD:
            found[check] = CheckRecord(
                check=check,
                status=Status.UNSUPPORTED,
                message=f"target {target.name} has no backward formula",
            )
    return found


def _why_not_run(version: str | None, policy_record: CheckRecord) -> str:
    if version is None:
        return HOW_TO_ADD_TORCH
    if policy_record.message:
        return "op.py breaks the policy, so nothing of it ran"
    return "not asked for, or the target gives no case for it"


def _dynamic(
    package: OperatorPackage,
    target: Target,
    job: Job,
    cases: list[OperatorCase],
    libraries: TorchLibrary,
    sandbox: Sandbox,
) -> dict[Check, CheckRecord]:
    with tempfile.TemporaryDirectory(prefix="operator-") as folder, temporary_box() as box:
        readonly = _write_inputs(Path(folder), package, job, cases, libraries)
        completed = _run(job, box, readonly, sandbox)
        judge = Judge(target, job, tuple(cases), box)
        results = _results(box, job)
        records = {result.check: judge.record(result) for result in results}
    return records | _unreached(job, results, completed)


def make_job(
    package: OperatorPackage,
    target: Target,
    cases: list[OperatorCase],
    seed: int,
    seconds: float,
    only: Collection[Check] = tuple(Check),
) -> Job:
    """Say what the sandboxed process shall do."""
    pytorch = target.pytorch
    return Job(
        name=target.name,
        package=package.folder,
        inputs=target.inputs,
        outputs=target.outputs,
        parameters=parameters(target),
        equivalent=pytorch.equivalent,
        differentiable=pytorch.backward is not None,
        cases=tuple(
            JobCase(id=case.id, kind=case.kind, values={**case.case.symbols, **case.case.scalars})
            for case in cases
        ),
        gradcheck=_gradcheck_job(target, cases),
        sentinels=tuple(Random(seed).sample(_SENTINELS, 2)),
        bad_calls=bad_calls(target),
        checks=tuple(check for check in _checks_to_run(target, cases) if check in only),
        seconds_per_check=seconds,
    )


def _checks_to_run(target: Target, cases: list[OperatorCase]) -> tuple[Check, ...]:
    left_out = {Check.POLICY}
    if target.pytorch.backward is None:
        left_out |= set(NEEDS_BACKWARD)
    if all(case.kind != "gradient" for case in cases):
        left_out |= {Check.BACKWARD, Check.GRADCHECK}
    return tuple(check for check in Check if check not in left_out)


def _gradcheck_job(target: Target, cases: list[OperatorCase]) -> GradcheckJob | None:
    """Choose the gradient case in float32: finite differences in float16 tell nothing."""
    asked = target.pytorch.gradcheck
    for case in cases:
        wide = all(dtype is not DType.FLOAT16 for dtype in case.case.dtypes.values())
        if asked is not None and case.kind == "gradient" and wide:
            return GradcheckJob(
                case=case.id, eps=asked.eps, absolute=asked.absolute, relative=asked.relative
            )
    return None


def _write_inputs(
    folder: Path,
    package: OperatorPackage,
    job: Job,
    cases: list[OperatorCase],
    libraries: TorchLibrary,
) -> dict[str, Path]:
    """Write what the run reads below `folder`; return where it is seen inside."""
    places = {f"/{name}": folder / name for name in ("job", "packages", "libraries")}
    for place in places.values():
        place.mkdir()
    package.write(folder / "packages")
    write_libraries(libraries, folder / "libraries")
    (folder / "job" / JOB_FILE).write_text(job.model_dump_json(), encoding="utf-8")
    for case in cases:
        _write_arrays(folder / "job" / case.id, case)
    return places


def write_libraries(libraries: TorchLibrary, folder: Path) -> None:
    """Write the two files where a package's runtime looks for them."""
    (folder / "emulator_runtime.so").write_bytes(libraries.runtime)
    (folder / "kernel.so").write_bytes(libraries.kernels)


def _run(job: Job, box: Path, readonly: dict[str, Path], sandbox: Sandbox) -> Completed:
    python = interpreter()
    return sandbox.run(
        python.argv(_MODULE),
        box=box,
        readonly={**python.readonly, **readonly},
        environment={**python.environment, "ROCM_PIPELINE_EMULATOR": "/libraries"},
        limits=replace(LIMITS, wall_seconds=job.seconds_per_check * 2 + LIMITS.wall_seconds),
    )


def _write_arrays(folder: Path, case: OperatorCase) -> None:
    folder.mkdir()
    cotangents = {f"grad_{name}": array for name, array in case.cotangents.items()}
    for name, array in {**case.inputs, **cotangents}.items():
        np.save(folder / f"{name}.npy", array)


def _results(box: Path, job: Job) -> tuple[CheckResult, ...]:
    """Read what the run says; what does not fit the job is as good as nothing."""
    try:
        content = read_result(box, RESULTS_FILE, _MAX_RESULTS)
        results = Results.model_validate_json(content).results
    except (ResultRefused, ValidationError):
        return ()
    checks = tuple(result.check for result in results)
    return results if checks == job.checks[: len(checks)] else ()


def _unreached(
    job: Job, results: tuple[CheckResult, ...], completed: Completed
) -> dict[Check, CheckRecord]:
    """Say why checks have no result: the run ended before them."""
    missing = job.checks[len(results) :]
    if not missing:
        return {}
    if results and ends_the_run(results[-1]):
        reason = f"not reached: '{results[-1].check.value}' came to no end"
        return {check: _not_run(check, reason) for check in missing}
    first, *rest = missing
    end = f"exit code {completed.returncode}; {completed.stderr.strip()[-300:]}"
    found = {
        first: CheckRecord(
            check=first,
            status=Status.TIMEOUT if completed.timed_out else Status.CRASHED,
            message="the whole run took too long" if completed.timed_out else f"ended early: {end}",
        )
    }
    return found | {check: _not_run(check, f"not reached after '{first.value}'") for check in rest}


def _not_run(check: Check, reason: str) -> CheckRecord:
    return CheckRecord(check=check, status=Status.NOT_RUN, message=reason)
