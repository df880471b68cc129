"""The claims about the PyTorch operator: how its package was made, and what its checks found."""

from collections import Counter
from pathlib import Path

from rocm_pipeline.bundle.claims import Kind, Row, Verdict
from rocm_pipeline.bundle.contents import Bundle
from rocm_pipeline.bundle.environment import Environment
from rocm_pipeline.integration.evidence import CheckRecord, OperatorEvidence
from rocm_pipeline.integration.job import Check
from rocm_pipeline.integration.package import OperatorPackage, generate
from rocm_pipeline.integration.policy import violations
from rocm_pipeline.integration.verify import HOW_TO_ADD_TORCH, verify
from rocm_pipeline.lab.emulator import Emulator
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets.spec import Target

_OPERATOR = "op.py"
_WRONG_EVERYWHERE = (
    *(Status.POLICY_VIOLATION, Status.CHEAT, Status.WRONG_VALUE, Status.WRONG_SHAPE),
    *(Status.WRONG_DTYPE, Status.NONFINITE),
)
"""Failures that no version of PyTorch makes of a pass: against our rules and our reference."""
_RELATIVE = 1e-3
_ABSOLUTE = 1e-6
"""How far an error, over what is allowed, may lie from the recorded one (see `compare`)."""


def check_operator(
    bundle: Bundle, target: Target, sandbox: Sandbox, workspace: Path, here: Environment
) -> list[Row]:
    """Make the package again from its `op.py`, and verify it with the recorded seed.

    `target` is the bundle's, with a reference that may be executed. Without a record of checks the
    package alone is checked, because it is carried away all the same.
    """
    package, recorded = bundle.package, bundle.operator_evidence
    if package is None:
        return operator_not_asked(bundle, "the package was not recorded")
    if recorded is None:
        unchecked = operator_not_asked(bundle, "no checks of it were recorded")
        return [_package_row(bundle, package), *unchecked]
    checks = _checks_row(bundle, recorded, package, target, sandbox, workspace, here)
    return [_package_row(bundle, package), checks]


def operator_not_asked(bundle: Bundle, reason: str) -> list[Row]:
    """Return the row of an operator that was not checked; none where there is no operator."""
    recorded = bundle.operator_evidence
    if recorded is None and bundle.package is None:
        return []
    return [_unchecked(recorded, reason)]


def _package_row(bundle: Bundle, package: OperatorPackage) -> Row:
    recorded = bundle.operator_evidence
    claimed = package.sha256 if recorded is None else recorded.package_sha256
    sources = {file.path: file.text for file in package.files}
    again = generate(bundle.target, bundle.candidate, sources.get(_OPERATOR, ""))
    same = again == package and claimed == again.sha256
    return Row(
        kind=Kind.OPERATOR,
        claim=f"all of the operator's package but {_OPERATOR} was generated",
        recorded=claimed,
        found=again.sha256,
        verdict=Verdict.REPRODUCED if same else Verdict.NOT_REPRODUCED,
        reason="" if same else "the generator installed here makes other files of it",
    )


def _checks_row(
    bundle: Bundle,
    recorded: OperatorEvidence,
    package: OperatorPackage,
    target: Target,
    sandbox: Sandbox,
    workspace: Path,
    here: Environment,
) -> Row:
    if recorded.torch_version is None:
        reason = "it was not run when it was recorded, so nothing is claimed"
        return _source_row(bundle, recorded, package, reason)
    if "torch" not in here.packages:
        return _source_row(bundle, recorded, package, HOW_TO_ADD_TORCH)
    kernels = target.kernel_names(bundle.candidate.launch_plan)
    libraries = Emulator(sandbox, workspace / "emulator").library_for_torch(
        bundle.candidate.source, kernels
    )
    found = verify(package, target, libraries, sandbox, seed=recorded.seed)
    verdict, reason = judge_checks(recorded, found, _explanation(bundle, recorded, found, here))
    return Row(
        kind=Kind.OPERATOR,
        claim="the operator's checks",
        recorded=_words(recorded),
        found=_words(found),
        verdict=verdict,
        reason=reason,
    )


def _source_row(
    bundle: Bundle, recorded: OperatorEvidence, package: OperatorPackage, reason: str
) -> Row:
    """Return the row of checks that cannot be run: the rules are read from the source all the same.

    `reason` says why they cannot.
    """
    sources = {file.path: file.text for file in package.files}
    broken = violations(bundle.target, sources.get(_OPERATOR, ""))
    if not broken or recorded.record(Check.POLICY).status is Status.POLICY_VIOLATION:
        return _unchecked(recorded, reason)
    return Row(
        kind=Kind.OPERATOR,
        claim="the operator's checks",
        recorded=_words(recorded),
        found=f"{Status.POLICY_VIOLATION.value}; {'; '.join(broken)}",
        verdict=Verdict.NOT_REPRODUCED,
        reason=f"{_OPERATOR} breaks the rules that are read from its source",
    )


def _explanation(
    bundle: Bundle, recorded: OperatorEvidence, found: OperatorEvidence, here: Environment
) -> str:
    """Say why figures need not be equal here; nothing where they must be."""
    there = bundle.exported_by
    if recorded.torch_version != found.torch_version:
        return f"PyTorch {recorded.torch_version}, here {found.torch_version}"
    if (there.version, there.harness) != (here.version, here.harness):
        return f"exported by {there.version} with harness {there.harness}"
    if there.arithmetic != here.arithmetic:
        return f"exported with {', '.join(there.arithmetic)}"
    return ""


def judge_checks(
    recorded: OperatorEvidence, found: OperatorEvidence, explanation: str
) -> tuple[Verdict, str]:
    """Hold recorded checks against those made here; `explanation`: why figures may differ."""
    pairs = list(zip(recorded.checks, found.checks, strict=True))
    for before, after in pairs:
        if before.status is Status.PASSED and after.status in _WRONG_EVERYWHERE:
            return Verdict.NOT_REPRODUCED, f"'{after.check.value}' fails here: {after.message}"
    if any(before.status is not after.status for before, after in pairs):
        other = explanation or "the outcomes differ, and nothing here explains it"
        return (Verdict.UNCHECKED if explanation else Verdict.NOT_REPRODUCED), other
    differs = next((after for before, after in pairs if not _agree(before, after)), None)
    if differs is None:
        return Verdict.REPRODUCED, ""
    if explanation:
        return Verdict.REPRODUCED, f"the outcomes alone; {explanation}"
    figure = differs.message if differs.worst_ratio is None else f"{differs.worst_ratio:.6g}"
    what = f"'{differs.check.value}' gives {figure} here, and nothing explains it"
    return Verdict.NOT_REPRODUCED, what


def _agree(recorded: CheckRecord, found: CheckRecord) -> bool:
    """Whether two records of one status say the same; how a process crashed is not compared."""
    if recorded.worst_ratio is not None and found.worst_ratio is not None:
        room = _ABSOLUTE + _RELATIVE * found.worst_ratio
        return abs(recorded.worst_ratio - found.worst_ratio) <= room
    return found.status not in _WRONG_EVERYWHERE or recorded.message == found.message


def _words(evidence: OperatorEvidence) -> str:
    counts = Counter(record.status.value for record in evidence.checks)
    words = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    first = next(iter(evidence.failures), None)
    return f"{words}; {first.check.value}: {first.message}" if first else words


def _unchecked(recorded: OperatorEvidence | None, reason: str) -> Row:
    return Row(
        kind=Kind.OPERATOR,
        claim="the operator's checks",
        recorded="nothing" if recorded is None else _words(recorded),
        verdict=Verdict.UNCHECKED,
        reason=reason,
    )
