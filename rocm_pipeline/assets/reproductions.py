"""T5: the chosen kernel's evidence, exported and judged again in a clean workspace."""

import dagster as dg

from rocm_pipeline.agents.code_version import code_version
from rocm_pipeline.agents.outcome import CandidateSet, ChosenKernel
from rocm_pipeline.assets import gates
from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.assets.stage import NEXT, OWNERS, Results, gate, result
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.reporting.tables import reproduction_table, tier_words
from rocm_pipeline.resources.protocols import Bundles
from rocm_pipeline.targets.spec import Target


@dg.asset(
    partitions_def=targets,
    group_name="kernels",
    owners=OWNERS,
    kinds={"hip"},
    op_tags=NEXT,
    code_version=code_version("reproduction"),
    check_specs=[
        gate(
            "reproduction",
            "reproduced",
            "Another process with empty caches found in the kernel's evidence bundle what the "
            "evidence says; a warning where some of it could not be checked.",
            blocking=True,
        )
    ],
)
def reproduction(
    bundles: dg.ResourceParam[Bundles],
    target: Target,
    kernel: ChosenKernel,
    kernel_candidates: CandidateSet,
) -> Results[Reproduction]:
    """What a process that shares nothing with the harness but its code found in the evidence."""
    found = bundles.reproduce(target, kernel, kernel_candidates.baseline_evidence)
    yield result(
        found,
        {
            "evidence": found.evidence,
            "tier": tier_words(kernel.evidence, found),
            "claims": dg.MetadataValue.md(reproduction_table(found)),
            "reproduced": len(found.reproduced),
            "not_reproduced": len(found.broken),
            "not_checked": len(found.unchecked),
            "bundle_sha256": found.bundle_sha256,
        },
        [gates.reproduced(found, kernel)],
    )
