"""The branch to propose, with all that a maintainer needs to check it."""

import dagster as dg

from rocm_pipeline.agents.code_version import code_version
from rocm_pipeline.agents.outcome import CandidateSet, ChosenKernel, Document
from rocm_pipeline.assets import gates
from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.assets.stage import OWNERS, Results, gate, result
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.planning.review import Review
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.publishing.pull_request import Proposal
from rocm_pipeline.reporting.pull_request_body import render_body
from rocm_pipeline.resources.protocols import BundleParts, Bundles, Publishing
from rocm_pipeline.targets.spec import Target


@dg.asset(
    partitions_def=targets,
    group_name="publishing",
    owners=OWNERS,
    kinds={"git", "github"},
    code_version=code_version("pull_request"),
    check_specs=[
        gate(
            "pull_request",
            "branch_holds_evidence",
            "The branch carries the evidence that its text cites; a warning where nothing was "
            "proposed.",
            blocking=False,
        )
    ],
)
def pull_request(
    publishing: dg.ResourceParam[Publishing],
    bundles: dg.ResourceParam[Bundles],
    target: Target,
    repo_snapshot: RepoSnapshot,
    kernel: ChosenKernel,
    kernel_candidates: CandidateSet,
    reproduction: Reproduction,
    torch_op: TorchOp,
    documentation: Document,
    cross_review: Review,
    final_review: Review,
) -> Results[PullRequest]:
    """A branch with kernel, operator, tests, documentation and evidence, or why there is none."""
    reviews = (cross_review, final_review)
    proposed = publishing.propose(
        Proposal(
            target=target,
            snapshot=repo_snapshot,
            kernel=kernel,
            operator=torch_op,
            document=documentation,
            review=final_review,
            body=render_body(
                target, kernel, torch_op.evidence, reviews, reproduction, documentation.examples
            ),
            bundle=bundles.files(
                BundleParts(
                    target=target,
                    kernel=kernel,
                    baseline_evidence=kernel_candidates.baseline_evidence,
                    reproduction=reproduction,
                    operator=torch_op,
                    document=documentation,
                    reviews=reviews,
                )
            ),
        )
    )
    yield result(
        proposed,
        {
            "branch": proposed.branch or "none",
            "commit": proposed.commit or f"none: {proposed.reason}",
            "base": proposed.base_commit,
            "files": list(proposed.files),
            "body": dg.MetadataValue.md(proposed.body),
        },
        [gates.branch_holds_evidence(proposed, kernel)],
    )
