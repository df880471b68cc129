"""Stand-alone verification: one verdict about a kernel that somebody has, by the whole harness."""

import re
import secrets
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.boundary_cases import boundary_trials
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.case_answers import Question
from rocm_pipeline.lab.case_files import KERNEL, read_case_files
from rocm_pipeline.lab.case_subject import CaseSubject, open_subject
from rocm_pipeline.lab.cases import (
    held_out_trials,
    large_trials,
    public_trials,
)
from rocm_pipeline.lab.controls import ControlPassedError
from rocm_pipeline.lab.evidence import CaseRecord, Evidence, Finding, Status, Tier
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.plan_check import check_plan
from rocm_pipeline.lab.policy import missing_kernels
from rocm_pipeline.lab.runs import repeated_run
from rocm_pipeline.lab.same_code import beside
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.subject import ARCHITECTURES, WAVES, Wave

SCHEMA = 1
_ORIGINS = ("public", "held out", "repeat", "large")
_PLACE = re.compile(r":(\d+):\d+: (?:fatal )?error")


class Check(BaseModel):
    """One step of a verification. What was not reached is NOT_RUN, never passed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    status: Status
    detail: str = ""


class Verdict(BaseModel):
    """What came of one verification; `--json` prints exactly this."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = SCHEMA
    status: Status
    tier: str | None
    """Highest tier reached: T0 parsed, T1 compiled, T2 right on the emulator."""
    finding: str | None = None
    """The first defect, in words."""
    kernel: str | None = None
    line: int | None = None
    """Line of `file`."""
    file: str
    architecture: str | None = None
    """Where the defect is one of the compiled code."""
    case: str | None = None
    """The symbols it was found with."""
    origin: str | None = None
    """`public` for sizes of case.json, else whose sizes they were."""
    wave: int | None = None
    block: tuple[int, int, int] | None = None
    thread: tuple[int, int, int] | None = None
    buffer: str | None = None
    checks: tuple[Check, ...]
    seed: int | None = None
    """From which all values and sizes of the harness's own were drawn."""
    architectures: tuple[str, ...]
    waves: tuple[int, ...]

    @property
    def passed(self) -> bool:
        return self.status is Status.PASSED


def verify(
    folder: Path,
    cache: Path,
    *,
    kernel: Path | None = None,
    architectures: tuple[str, ...] = ARCHITECTURES,
    waves: tuple[Wave, ...] = WAVES,
    seed: int | None = None,
) -> Verdict:
    """Judge the kernel of `folder` up to T2. Raises UserError where the files cannot judge it.

    `cache` keeps compiled code between calls. `seed` repeats an earlier verdict.
    """
    files = read_case_files(folder, kernel)
    sandbox = Sandbox.detect()
    subject = open_subject(files, sandbox, architectures=architectures, waves=waves)
    wrong = check_plan(files.launch_plan, subject)
    if wrong:
        what = wrong[0].message.removeprefix("launch plan: ")
        raise UserError(what, where=str(files.launch_path), fix="Mend it in that file.")
    missing = missing_kernels(files.source, subject.kernel_names(files.launch_plan))
    if missing:
        raise UserError(
            f"has no kernel '{missing[0]}', which {files.launch_path.name} starts",
            where=str(files.kernel),
            fix='Declare it extern "C" __global__, or mend `launches` in launch.json.',
        )
    seed = secrets.randbits(62) if seed is None else seed
    candidate = Candidate(target=subject.name, source=files.source, launch_plan=files.launch_plan)
    _require_answers(subject, candidate, seed)
    try:
        harness = Harness(sandbox, cache)
        evidence = harness.judge(candidate, subject, seed=seed)
    except ControlPassedError as error:
        raise UserError(
            f"{error.what}, so that a pass of a kernel would say nothing",
            where=f"{files.case_path} and {files.reference_path.name}",
            fix="Change `symbols` or make_inputs so that the right answer differs from it, or "
            "give a smaller `tolerance`.",
        ) from error
    verdict = _verdict(evidence, subject, files.kernel)
    if kernel is None:
        return verdict
    change = _change(folder, evidence, harness.toolchain)
    return verdict.model_copy(update={"checks": (*verdict.checks, change)})


def _change(folder: Path, evidence: Evidence, toolchain: Toolchain) -> Check:
    """Say whether another kernel's machine code is that of the folder's own."""
    try:
        source = read_case_files(folder).source
    except UserError:
        status, detail = Status.NOT_RUN, f"there is no {KERNEL} beside which to see it"
    else:
        status, detail = beside(KERNEL, source, evidence.compiles, toolchain)
    return Check(name="machine code", status=status, detail=detail)


def _require_answers(subject: CaseSubject, candidate: Candidate, seed: int) -> None:
    """Let the reference answer all that the harness will ask, before anything is compiled.

    The trials are those that the harness draws from the same seed; what it asks beside them is
    asked when it comes.
    """
    small = [
        *public_trials(subject, seed),
        *held_out_trials(subject, seed),
        *boundary_trials(subject, candidate.source, seed),
        repeated_run(subject, candidate.launch_plan, seed).trial,
    ]
    subject.prepare(
        [
            *(Question(case, seed, lowered=True) for case in subject.public_cases),
            *(Question(trial.case, trial.seed) for trial in small),
        ]
    )
    large = large_trials(subject, seed)
    subject.prepare([Question(trial.case, trial.seed) for trial in large])


def _verdict(evidence: Evidence, subject: CaseSubject, kernel: Path) -> Verdict:
    finding = evidence.findings[0] if evidence.findings else None
    record = _record_of(finding, evidence)
    compiled = next((c for c in evidence.compiles if c.status is not Status.PASSED), None)
    return Verdict(
        status=evidence.status,
        tier=None if evidence.tier is None else evidence.tier.label,
        finding=None if finding is None else finding.message,
        kernel=None if finding is None else finding.kernel,
        line=None if finding is None else finding.line or _line_in(finding.message),
        file=str(kernel),
        architecture=None if compiled is None else compiled.architecture,
        case=None if record is None else record.case.name,
        origin=None if record is None else record.origin,
        wave=None if record is None else record.wave,
        block=None if finding is None else finding.block,
        thread=None if finding is None else finding.thread,
        buffer=None if finding is None else finding.buffer,
        checks=tuple(_checks(evidence, subject)),
        seed=None if evidence.scope is None else evidence.scope.seed,
        architectures=subject.architectures,
        waves=subject.waves,
    )


def _record_of(finding: Finding | None, evidence: Evidence) -> CaseRecord | None:
    return next((record for record in evidence.cases if finding in record.findings), None)


def _line_in(message: str) -> int | None:
    place = _PLACE.search(message)
    return int(place[1]) if place else None


def _checks(evidence: Evidence, subject: CaseSubject) -> list[Check]:
    tier = evidence.tier
    first = evidence.status if tier is None else Status.PASSED
    checks = [Check(name="policy", status=first)]
    compiled = {record.architecture: record for record in evidence.compiles}
    for name in subject.architectures:
        record = compiled.get(name)
        checks.append(
            Check(
                name=f"compile {name}",
                status=Status.NOT_RUN if record is None else record.status,
                detail="" if record is None else record.message,
            )
        )
    ran = evidence.scope is not None
    built = Status.PASSED if ran else Status.NOT_RUN
    if not ran and tier is Tier.T1:
        built = evidence.status
    checks.append(Check(name="build for the emulator", status=built))
    rejected = [control.name for control in evidence.controls if control.rejected]
    checks.append(
        Check(
            name="controls",
            status=Status.PASSED if rejected else Status.NOT_RUN,
            detail=f"rejected: {', '.join(rejected)}" if rejected else "",
        )
    )
    return checks + [_cases(evidence, subject, origin) for origin in _ORIGINS]


def _cases(evidence: Evidence, subject: CaseSubject, origin: str) -> Check:
    records = [record for record in evidence.cases if record.origin == origin]
    failed = [record for record in records if record.status is not Status.PASSED]
    left_out = "; ".join(subject.left_out) if origin == "large" else ""
    if not records:
        return Check(name=f"{origin} cases", status=Status.NOT_RUN, detail=left_out)
    worst = max((record.worst_ratio or 0.0 for record in records), default=0.0)
    passed = f"{len(records) - len(failed)} of {len(records)} executions passed"
    smaller = [record for record in records if record.stands_for is not None]
    if smaller:
        instead = ", ".join(f"{each.case.name} for {each.stands_for}" for each in smaller)
        passed += f"; at smaller sizes, which the emulator can do: {instead}"
    detail = passed if failed else f"{passed}; largest error {worst:.0%} of the tolerance"
    return Check(
        name=f"{origin} cases",
        status=failed[0].status if failed else Status.PASSED,
        detail=f"{detail}; {left_out}" if left_out else detail,
    )
