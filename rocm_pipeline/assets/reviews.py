"""Reviews: a second look at the kernel, and the final one before a pull request."""

from typing import Any

import dagster as dg

from rocm_pipeline.agents.code_version import code_version
from rocm_pipeline.agents.outcome import ChosenKernel, Document
from rocm_pipeline.assets import gates
from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.assets.stage import OWNERS, Results, gate, result
from rocm_pipeline.assets.tables import review_table
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.home import Home
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.planning.follow_up import asked_tasks, returned
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.planning.review import Review
from rocm_pipeline.resources.artefacts import Artefacts
from rocm_pipeline.resources.asking import asking_of
from rocm_pipeline.resources.protocols import Workshop
from rocm_pipeline.resources.submissions import reviewed_beside, submission
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
    home: dg.ResourceParam[Home],
    target: Target,
    plan: Plan,
    kernel: ChosenKernel,
    reproduction: Reproduction,
    torch_op: TorchOp,
    documentation: Document,
    cross_review: Review,
) -> Results[Review]:
    """The verdict of rules and Claude under four headings, which decides on a pull request.

    Changes go back to whoever can make them: the next plan of the target holds their tasks.
    """
    given = submission(target, kernel, torch_op, cross_review, reproduction, documentation)
    asking = asking_of(context.run.run_id, context.run.tags)
    review = workshop.final_review(
        given,
        asking.run_id,
        beside=reviewed_beside(Artefacts.open(home), asking, target.name),
        may_wait=asking.may_wait,
    )
    following = workshop.send_back(plan, review, kernel)
    is_back = following.id != plan.id
    yield result(
        review,
        {
            **_metadata(review),
            "times_sent_back": returned(following),
            "sent_back_to": [task.id for task in asked_tasks(following)] if is_back else [],
            "next_plan": following.id,
        },
        [gates.reviewer_approved(review)],
    )


def _metadata(review: Review) -> dict[str, Any]:
    return {
        "verdict": review.verdict.value,
        "reviewer": review.reviewer,
        "not_asked": review.unasked,
        "subject": review.subject,
        "findings": review_table(review),
        "evidence": list(review.evidence_ids),
    }
