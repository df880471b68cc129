"""The claims about the PyTorch operator: how its package was made, and what its checks found."""

from collections import Counter
from pathlib import Path

from rocm_pipeline.bundle.claims import Kind, Row, Verdict
from rocm_pipeline.bundle.contents import Bundle
from rocm_pipeline.bundle.environment import Environment
from rocm_pipeline.integration.evidence import OperatorEvidence
from rocm_pipeline.integration.package import OperatorPackage, generate
from rocm_pipeline.integration.verify import HOW_TO_ADD_TORCH, verify
from rocm_pipeline.lab.emulator import Emulator
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets.spec import Target

_OPERATOR = "op.py"


def check_operator(
    bundle: Bundle, target: Target, sandbox: Sandbox, workspace: Path, here: Environment
) -> list[Row]:
    """Make the package again from its `op.py`, and verify it with the recorded seed.

    `target` is the bundle's, with a reference that may be executed.
    """
    if bundle.package is None or bundle.operator_evidence is None:
        return operator_not_asked(bundle, "nothing was recorded to check")
    return [
        _package_row(bundle, bundle.package),
        _checks_row(bundle, bundle.package, target, sandbox, workspace, here),
    ]


def operator_not_asked(bundle: Bundle, reason: str) -> list[Row]:
    """Return the row of an operator that was not checked; none where there is no operator."""
    recorded = bundle.operator_evidence
    return [] if recorded is None else [_unchecked(recorded, reason)]


def _package_row(bundle: Bundle, package: OperatorPackage) -> Row:
    recorded = bundle.operator_evidence
    assert recorded is not None
    sources = {file.path: file.text for file in package.files}
    again = generate(bundle.target, bundle.candidate, sources.get(_OPERATOR, ""))
    same = again == package and recorded.package_sha256 == again.sha256
    return Row(
        kind=Kind.OPERATOR,
        claim=f"all of the operator's package but {_OPERATOR} was generated",
        recorded=recorded.package_sha256,
        found=again.sha256,
        verdict=Verdict.REPRODUCED if same else Verdict.NOT_REPRODUCED,
        reason="" if same else "the generator installed here makes other files of it",
    )


def _checks_row(
    bundle: Bundle,
    package: OperatorPackage,
    target: Target,
    sandbox: Sandbox,
    workspace: Path,
    here: Environment,
) -> Row:
    recorded = bundle.operator_evidence
    assert recorded is not None
    if recorded.torch_version is None:
        return _unchecked(recorded, "it was not run when it was recorded, so nothing is claimed")
    if "torch" not in here.packages:
        return _unchecked(recorded, HOW_TO_ADD_TORCH)
    kernels = target.kernel_names(bundle.candidate.launch_plan)
    libraries = Emulator(sandbox, workspace / "emulator").library_for_torch(
        bundle.candidate.source, kernels
    )
    found = verify(package, target, libraries, sandbox, seed=recorded.seed)
    same = _outcomes(recorded) == _outcomes(found)
    differs = recorded.torch_version != found.torch_version
    refuted = Verdict.UNCHECKED if differs else Verdict.NOT_REPRODUCED
    return Row(
        kind=Kind.OPERATOR,
        claim="the operator's checks",
        recorded=_words(recorded),
        found=_words(found),
        verdict=Verdict.REPRODUCED if same else refuted,
        reason="" if same else f"PyTorch {recorded.torch_version}, here {found.torch_version}",
    )


def _outcomes(evidence: OperatorEvidence) -> tuple[Status, ...]:
    return tuple(record.status for record in evidence.checks)


def _words(evidence: OperatorEvidence) -> str:
    counts = Counter(record.status.value for record in evidence.checks)
    words = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    first = next(iter(evidence.failures), None)
    return f"{words}; {first.check.value}: {first.message}" if first else words


def _unchecked(recorded: OperatorEvidence, reason: str) -> Row:
    return Row(
        kind=Kind.OPERATOR,
        claim="the operator's checks",
        recorded=_words(recorded),
        verdict=Verdict.UNCHECKED,
        reason=reason,
    )
