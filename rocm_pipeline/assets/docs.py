"""Documentation: an agent's text, every figure of it from evidence."""

import dagster as dg

from rocm_pipeline.agents.outcome import ChosenKernel, Document, Rejected
from rocm_pipeline.agents.workshop import code_version
from rocm_pipeline.assets import gates
from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.assets.provenance import replied
from rocm_pipeline.assets.stage import OWNERS, Results, gate, result
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.integration.usage import usage
from rocm_pipeline.planning.plan import Plan, TaskType
from rocm_pipeline.reporting.document import render_document
from rocm_pipeline.resources.protocols import Workshop
from rocm_pipeline.targets.spec import Target


@dg.asset(
    partitions_def=targets,
    group_name="documentation",
    owners=OWNERS,
    kinds={"ollama", "markdown"},
    code_version=code_version("documentation"),
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
    ],
)
def documentation(
    workshop: dg.ResourceParam[Workshop],
    target: Target,
    plan: Plan,
    kernel: ChosenKernel,
    torch_op: TorchOp,
) -> Results[Document]:
    """What the kernel does, how to use it and how far it was checked."""
    (task,) = plan.tasks_for(TaskType.DOCUMENTATION)
    rejected: list[Rejected] = []
    while True:
        draft = workshop.write_document(target, plan, task, kernel, rejected)
        document = render_document(
            draft.text, target, kernel, usage(target, torch_op.package), draft.exchange
        )
        problem = draft.refused or "\n".join(document.problems)
        if draft.exchange:
            yield replied(target.name, draft.exchange, problem or "no problem found")
        is_repeated = bool(rejected) and rejected[-1].text == draft.text
        rejected.append(Rejected(text=draft.text, problem=problem))
        if not problem or is_repeated or len(rejected) == workshop.rounds:
            break
    yield result(
        document,
        {
            "document": dg.MetadataValue.md(document.markdown),
            "problems": list(document.problems),
        },
        [gates.documentation_is_complete(document), gates.numbers_come_from_evidence(document)],
    )
