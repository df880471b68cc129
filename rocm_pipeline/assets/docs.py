"""Documentation: an agent's text, every figure of it from evidence, every example run."""

import dagster as dg

from rocm_pipeline.agents.code_version import code_version
from rocm_pipeline.agents.outcome import ChosenKernel, Document
from rocm_pipeline.assets import gates
from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.assets.provenance import replied
from rocm_pipeline.assets.stage import OWNERS, Results, gate, result
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.planning.plan import Plan, TaskType
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.reporting.tables import examples_table
from rocm_pipeline.resources.operators import verification_version
from rocm_pipeline.resources.protocols import Integration, Workshop
from rocm_pipeline.resources.rounds import DocumentRound, document_rounds
from rocm_pipeline.targets.spec import Target


@dg.asset(
    partitions_def=targets,
    group_name="documentation",
    owners=OWNERS,
    kinds={"ollama", "markdown"},
    code_version=f"{code_version('documentation')}-{verification_version()}",
    check_specs=[
        gate(
            "documentation",
            "documentation_is_complete",
            "Every section is there and nothing that a document must not hold.",
            blocking=True,
        ),
        gate(
            "documentation",
            "numbers_come_from_evidence",
            "Every number of the text is in the evidence or in the target.",
            blocking=True,
        ),
        gate(
            "documentation",
            "documentation_examples_run",
            "There is a Python example, each calls the operator and ends without an error, and "
            "every kernel shown compiles; a warning where nothing could be run.",
            blocking=True,
        ),
    ],
)
def documentation(
    workshop: dg.ResourceParam[Workshop],
    integration: dg.ResourceParam[Integration],
    target: Target,
    plan: Plan,
    repo_snapshot: RepoSnapshot,
    kernel: ChosenKernel,
    torch_op: TorchOp,
) -> Results[Document]:
    """What the kernel does, how to use it and how far it was checked."""
    (task,) = plan.tasks_for(TaskType.DOCUMENTATION)
    found: DocumentRound | None = None
    for found in document_rounds(
        workshop, integration, target, plan, task, kernel, repo_snapshot, torch_op
    ):
        if found.exchange:
            yield replied(target.name, found.exchange, found.problem or "no problem found")
    assert found is not None
    document = found.document
    yield result(
        document,
        {
            "document": dg.MetadataValue.md(document.markdown),
            "problems": list(document.problems),
            "examples": dg.MetadataValue.md(examples_table(document.examples)),
        },
        [
            gates.documentation_is_complete(document),
            gates.numbers_come_from_evidence(document),
            gates.documentation_examples_run(document),
        ],
    )
