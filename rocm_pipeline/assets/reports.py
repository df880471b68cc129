"""The report: a page to read in the morning."""

import dagster as dg

from rocm_pipeline.agents.code_version import code_version
from rocm_pipeline.agents.outcome import CandidateSet, ChosenKernel, Document
from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.assets.stage import OWNERS, Results, result
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.lab.benchmark import Benchmark
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.planning.review import Review
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.reporting.page import ReportInputs, Summary, summarise
from rocm_pipeline.resources.protocols import Reporting
from rocm_pipeline.targets.spec import Target


@dg.asset(
    partitions_def=targets,
    group_name="reports",
    owners=OWNERS,
    kinds={"html", "plotly"},
    code_version=code_version("report"),
)
def report(
    reporting: dg.ResourceParam[Reporting],
    target: Target,
    plan: Plan,
    kernel_candidates: CandidateSet,
    kernel: ChosenKernel,
    reproduction: Reproduction,
    torch_op: TorchOp,
    benchmark: Benchmark,
    documentation: Document,
    cross_review: Review,
    final_review: Review,
    pull_request: PullRequest,
) -> Results[Summary]:
    """The target's page with every figure labelled, and its line of the summary."""
    inputs = ReportInputs(
        target=target,
        plan=plan,
        candidates=kernel_candidates,
        kernel=kernel,
        reproduction=reproduction,
        operator=torch_op,
        benchmark=benchmark,
        document=documentation,
        cross=cross_review,
        final=final_review,
        pull_request=pull_request,
        lineage=reporting.lineage(kernel),
    )
    path = reporting.page(inputs)
    summary = summarise(inputs)
    yield result(
        summary,
        {
            "page": dg.MetadataValue.path(path),
            "verdict": summary.verdict,
            "tier": summary.tier,
            "branch": summary.branch or "none",
        },
    )
