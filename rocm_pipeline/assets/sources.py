"""What everything starts from: the target as its author wrote it, and the repository."""

import dagster as dg

from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.assets.stage import OWNERS, Results, result
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.resources.protocols import Sources
from rocm_pipeline.targets.spec import Target


@dg.asset(
    partitions_def=targets,
    group_name="sources",
    owners=OWNERS,
    kinds={"yaml"},
    code_version="1",
)
def target(
    context: dg.AssetExecutionContext, sources: dg.ResourceParam[Sources]
) -> Results[Target]:
    """The thing to optimise: reference, tensors, cases, tolerance, baseline and architectures."""
    found = sources.target(context.partition_key)
    yield result(
        found,
        {
            "title": found.title,
            "objective": found.objective,
            "architectures": ", ".join(found.architectures),
            "watch": ", ".join(found.watch),
        },
    )


@dg.asset(
    partitions_def=targets,
    group_name="sources",
    owners=OWNERS,
    kinds={"git"},
    code_version="1",
)
def repo_snapshot(target: Target, sources: dg.ResourceParam[Sources]) -> Results[RepoSnapshot]:
    """The watched files of the configured repository, at the last commit that touched them."""
    found = sources.snapshot(target)
    yield result(
        found,
        {
            "repository": found.repository,
            "commit": found.commit,
            "files": len(found.files),
            "left_out": list(found.left_out),
        },
    )
