"""Proposing a kernel: its files on a branch, or the reason why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rocm_pipeline.agents.outcome import ChosenKernel, Document
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.planning.review import Review, Verdict
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.publishing.branch import branch_name, commit_files
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.redaction.process import clean_text
from rocm_pipeline.targets.spec import Target

BODY = "pr.md"
BUNDLE = "evidence"
"""Folder of the evidence bundle, beside the kernel."""


@dataclass(frozen=True)
class Proposal:
    """What a branch is made from; `body` is the pull request's text, rendered from evidence."""

    target: Target
    snapshot: RepoSnapshot
    kernel: ChosenKernel
    operator: TorchOp
    document: Document
    review: Review
    body: str
    bundle: Mapping[str, str] = field(default_factory=dict[str, str])
    """The evidence bundle's files; they go to the folder `evidence`."""


def propose(repository: Path, worktrees: Path, proposal: Proposal) -> PullRequest:
    """Commit the proposal to its branch in a worktree below `worktrees`.

    Nothing is committed for a baseline or a kernel that the final review did not approve.
    """
    reason = _reason_against(proposal)
    files = proposal_files(proposal)
    if reason:
        return PullRequest(
            target=proposal.target.name,
            branch="",
            commit=None,
            base_commit=proposal.snapshot.commit,
            files=(),
            body=clean_text(proposal.body),
            reason=reason,
        )
    branch = branch_name(proposal.target.name, proposal.kernel.candidate.id)
    commit = commit_files(
        repository,
        worktrees / proposal.target.name,
        branch,
        proposal.snapshot.commit,
        files,
        f"{proposal.target.name}: kernel {proposal.kernel.candidate.id}\n\n"
        f"Evidence {proposal.kernel.evidence.id}; {BODY} holds the details.",
    )
    return PullRequest(
        target=proposal.target.name,
        branch=branch,
        commit=commit,
        base_commit=proposal.snapshot.commit,
        files=tuple(sorted(files)),
        body=clean_text(proposal.body),
    )


def proposal_files(proposal: Proposal) -> dict[str, str]:
    """Return every file of the branch by path, redacted; all lie below the target's own folder."""
    folder = f"kernels/{proposal.target.name}"
    candidate = proposal.kernel.candidate
    files = {
        f"{folder}/kernel.hip": candidate.source,
        f"{folder}/launch_plan.json": candidate.launch_plan.model_dump_json(indent=2) + "\n",
        f"{folder}/evidence.json": proposal.kernel.evidence.model_dump_json(indent=1) + "\n",
        f"{folder}/README.md": proposal.document.markdown,
        f"{folder}/{BODY}": proposal.body,
    }
    files |= {f"{folder}/{BUNDLE}/{path}": text for path, text in proposal.bundle.items()}
    package = proposal.operator.package
    if package is not None:
        for file in package.files:
            files[f"{folder}/{package.folder}/{file.path}"] = file.text
    return {path: clean_text(text) for path, text in files.items()}


def _reason_against(proposal: Proposal) -> str:
    if proposal.kernel.is_baseline:
        return f"nothing to propose: {proposal.kernel.reason}"
    evidence = proposal.kernel.evidence
    if evidence.status is not Status.PASSED:
        return f"the harness says {evidence.status.value}"
    if proposal.review.subject != proposal.kernel.candidate.id:
        return "the final review is about another kernel"
    if proposal.review.kind != "final" or evidence.id not in proposal.review.evidence_ids:
        return "the final review is about other evidence"
    if proposal.review.verdict is not Verdict.APPROVE:
        worst = next((f.message for f in proposal.review.findings), "no finding")
        return f"the final review says {proposal.review.verdict.value}: {worst}"
    return ""
