"""Verification of operator packages: everything of them runs in the sandbox, or not at all."""

import secrets
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from rocm_pipeline.integration import policy
from rocm_pipeline.integration.evidence import CheckRecord, OperatorEvidence
from rocm_pipeline.integration.interpreter import LIMITS, interpreter, torch_version
from rocm_pipeline.integration.job import (
    JOBS_FILE,
    NEEDS_BACKWARD,
    RESULTS_FILE,
    Check,
    CheckResult,
    GradcheckJob,
    Job,
    JobCase,
    Jobs,
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
HOW_TO_ADD_TORCH = "PyTorch is not installed; run `.venv/bin/pip install torch` (see README.md)"

_MODULE = "rocm_pipeline.integration.inside.run"
_MAX_RESULTS = 1 << 20


@dataclass(frozen=True)
class Subject:
    """One package to verify, with the build of its kernels for the CPU."""

    package: OperatorPackage
    target: Target
    libraries: TorchLibrary
    only: Collection[Check] = tuple(Check)
    """Checks to make; the others are NOT_RUN."""


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
    subject = Subject(package, target, libraries, only)
    (found,) = verify_all([subject], sandbox, seed=seed, seconds_per_check=seconds_per_check)
    return found


def verify_all(
    subjects: Sequence[Subject],
    sandbox: Sandbox,
    *,
    seed: int | None = None,
    seconds_per_check: float = SECONDS_PER_CHECK,
) -> tuple[OperatorEvidence, ...]:
    """Verify several packages in one start of the sandbox, because PyTorch takes seconds to load.

    They cannot change each other's results; one that ends the whole run ends it for those after.
    """
    seed = secrets.randbits(63) if seed is None else seed
    version = torch_version()
    static = [_static(subject.package, subject.target) for subject in subjects]
    runs = [
        _Run(subject, make_job(subject, cases, seconds_per_check), tuple(cases))
        for subject, records in zip(subjects, static, strict=True)
        if version is not None and not records[Check.POLICY].message
        for cases in [operator_cases(subject.target, seed)]
    ]
    dynamic = iter(_dynamic(runs, sandbox))
    found: list[OperatorEvidence] = []
    for subject, records in zip(subjects, static, strict=True):
        reason = _why_not_run(version, records[Check.POLICY])
        ran = version is not None and not records[Check.POLICY].message
        every = records | next(dynamic) if ran else records
        found.append(
            OperatorEvidence(
                target=subject.target.name,
                candidate=subject.package.candidate,
                package_sha256=subject.package.sha256,
                seed=seed,
                torch_version=version,
                checks=tuple(every.get(check, _not_run(check, reason)) for check in Check),
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class _Run:
    """A package that keeps the policy, with what is asked of it."""

    subject: Subject
    job: Job
    cases: tuple[OperatorCase, ...]


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


def _dynamic(runs: list[_Run], sandbox: Sandbox) -> list[dict[Check, CheckRecord]]:
    if not runs:
        return []
    with tempfile.TemporaryDirectory(prefix="operator-") as folder, temporary_box() as box:
        readonly = _write_inputs(Path(folder), runs)
        completed = _run(runs, box, readonly, sandbox)
        return [_records(run, box / str(index), completed) for index, run in enumerate(runs)]


def _records(run: _Run, box: Path, completed: Completed) -> dict[Check, CheckRecord]:
    judge = Judge(run.subject.target, run.job, run.cases, box)
    results = _results(box, run.job)
    records = {result.check: judge.record(result) for result in results}
    return records | _unreached(run.job, results, completed)


def make_job(subject: Subject, cases: list[OperatorCase], seconds: float) -> Job:
    """Say what the sandboxed process shall do."""
    package, target = subject.package, subject.target
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
        bad_calls=bad_calls(target),
        checks=tuple(check for check in _checks_to_run(target, cases) if check in subject.only),
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


def _write_inputs(folder: Path, runs: list[_Run]) -> dict[str, Path]:
    """Write what the run reads below `folder`; return where it is seen inside, in order."""
    places = {f"/{name}": folder / name for name in ("job", "packages", "libraries")}
    for place in places.values():
        place.mkdir()
    jobs = Jobs(jobs=tuple(run.job for run in runs))
    (folder / "job" / JOBS_FILE).write_text(jobs.model_dump_json(), encoding="utf-8")
    for index, run in enumerate(runs):
        job, packages, libraries = (place / str(index) for place in places.values())
        for place in (job, packages, libraries):
            place.mkdir()
        run.subject.package.write(packages)
        write_libraries(run.subject.libraries, libraries)
        for case in run.cases:
            _write_arrays(job / case.id, case)
    return places


def write_libraries(libraries: TorchLibrary, folder: Path) -> None:
    """Write the two files where a package's runtime looks for them."""
    (folder / "emulator_runtime.so").write_bytes(libraries.runtime)
    (folder / "kernel.so").write_bytes(libraries.kernels)


def _run(runs: list[_Run], box: Path, readonly: dict[str, Path], sandbox: Sandbox) -> Completed:
    python = interpreter()
    longest = 2 * max(run.job.seconds_per_check for run in runs)
    return sandbox.run(
        python.argv(_MODULE, *readonly),
        box=box,
        readonly={**python.readonly, **readonly},
        environment=python.environment,
        limits=replace(LIMITS, wall_seconds=longest + LIMITS.wall_seconds),
    )


def _write_arrays(folder: Path, case: OperatorCase) -> None:
    folder.mkdir()
    cotangents = {f"grad_{name}": array for name, array in case.cotangents.items()}
    for name, array in {**case.inputs, **cotangents}.items():
        np.save(folder / f"{name}.npy", array)


def _results(box: Path, job: Job) -> tuple[CheckResult, ...]:
    """Read what the run says; what does not fit the job is as good as nothing."""
    try:
        content = read_result(box.parent, f"{box.name}/{RESULTS_FILE}", _MAX_RESULTS)
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
