"""Reviews: a second look at the kernel, and the final one before a pull request."""

from typing import Any

import dagster as dg

from rocm_pipeline.agents.outcome import ChosenKernel
from rocm_pipeline.agents.workshop import code_version
from rocm_pipeline.assets import gates
from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.assets.stage import OWNERS, Results, gate, result
from rocm_pipeline.assets.tables import review_table
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.planning.review import Review
from rocm_pipeline.resources.protocols import Workshop
from rocm_pipeline.resources.task_work import under_review
from rocm_pipeline.targets.spec import Target

APPROVED = "The reviewer approved; a warning where changes are asked for."
# Not blocking: the pull request is refused by publishing itself, and the report shows why.


@dg.asset(
    partitions_def=targets,
    group_name="reviews",
    owners=OWNERS,
    kinds={"ollama", "rules"},
    code_version=code_version("cross_review"),
    check_specs=[gate("cross_review", "reviewer_approved", APPROVED, blocking=False)],
)
def cross_review(
    workshop: dg.ResourceParam[Workshop], target: Target, kernel: ChosenKernel
) -> Results[Review]:
    """The verdict of rules, and of a model that did not write the kernel, on its evidence."""
    review = workshop.cross_review(target, kernel)
    yield result(review, _metadata(review), [gates.reviewer_approved(review)])


@dg.asset(
    partitions_def=targets,
    group_name="reviews",
    owners=OWNERS,
    kinds={"anthropic", "rules"},
    code_version=code_version("final_review"),
    check_specs=[gate("final_review", "reviewer_approved", APPROVED, blocking=False)],
)
def final_review(
    context: dg.AssetExecutionContext,
    workshop: dg.ResourceParam[Workshop],
    target: Target,
    kernel: ChosenKernel,
    torch_op: TorchOp,
    cross_review: Review,
) -> Results[Review]:
    """The verdict of rules and Claude under four headings, which decides on a pull request."""
    operator = under_review(torch_op)
    review = workshop.final_review(target, kernel, operator, cross_review, context.run_id)
    yield result(review, _metadata(review), [gates.reviewer_approved(review)])


def _metadata(review: Review) -> dict[str, Any]:
    return {
        "verdict": review.verdict.value,
        "reviewer": review.reviewer,
        "not_asked": review.unasked,
        "subject": review.subject,
        "findings": review_table(review),
        "evidence": list(review.evidence_ids),
    }
