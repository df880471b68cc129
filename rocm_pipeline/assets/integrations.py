"""The chosen kernel as a PyTorch operator."""

import dagster as dg

from rocm_pipeline.agents.code_version import code_version
from rocm_pipeline.agents.outcome import ChosenKernel
from rocm_pipeline.assets import gates
from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.assets.provenance import replied
from rocm_pipeline.assets.stage import FIRST, OWNERS, Results, gate, result
from rocm_pipeline.assets.tables import operator_table, source
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.planning.plan import Plan, TaskType
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.resources.operators import verification_version
from rocm_pipeline.resources.protocols import Integration, Workshop
from rocm_pipeline.resources.rounds import operator_rounds
from rocm_pipeline.targets.spec import Target


@dg.asset(
    partitions_def=targets,
    group_name="integration",
    owners=OWNERS,
    kinds={"ollama", "pytorch"},
    op_tags=FIRST,
    code_version=f"{code_version('torch_op')}-{verification_version()}",
    check_specs=[
        gate(
            "torch_op",
            "operator_passes_opcheck",
            "Forward, backward, fake and compiled runs of the operator agree with PyTorch's own; "
            "a warning where nothing could be run.",
            blocking=True,
        )
    ],
)
def torch_op(
    workshop: dg.ResourceParam[Workshop],
    integration: dg.ResourceParam[Integration],
    target: Target,
    plan: Plan,
    repo_snapshot: RepoSnapshot,
    kernel: ChosenKernel,
) -> Results[TorchOp]:
    """The kernel as `torch.ops.rocm_pipeline.<target>`: a package with its own tests."""
    (task,) = plan.tasks_for(TaskType.PYTORCH_INTEGRATION)
    made: TorchOp | None = None
    for made in operator_rounds(workshop, integration, target, plan, task, kernel, repo_snapshot):
        if made.operator.exchange:
            yield replied(target.name, made.operator.exchange, _verdict(made))
    assert made is not None
    yield result(
        made,
        {
            "status": made.evidence.status.value,
            "checks": operator_table(made.evidence),
            "torch_version": made.evidence.torch_version or "PyTorch is not installed",
            "files": [file.path for file in made.package.files] if made.package else [],
            "op.py": source(made.operator.source, "python"),
        },
        [gates.operator_passes_opcheck(made.evidence)],
    )


def _verdict(made: TorchOp) -> str:
    refused = made.operator.refused
    return f"refused: {refused}" if refused else made.evidence.status.value
