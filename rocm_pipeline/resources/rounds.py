"""Rounds of the tasks about the chosen kernel: ask, judge, and ask again with what is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass

from rocm_pipeline.agents.outcome import ChosenKernel, Document, Exchange, Rejected
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.integration.usage import usage
from rocm_pipeline.planning.plan import Plan, Task
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.reporting.document import render_document
from rocm_pipeline.resources.protocols import Integration, Workshop
from rocm_pipeline.targets.spec import Target


@dataclass(frozen=True)
class DocumentRound:
    """A document, who wrote it, and what is wrong with it; nothing where all is in order."""

    document: Document
    exchange: Exchange | None
    problem: str


def operator_rounds(
    workshop: Workshop,
    integration: Integration,
    target: Target,
    plan: Plan,
    task: Task,
    kernel: ChosenKernel,
    snapshot: RepoSnapshot,
) -> Iterator[TorchOp]:
    """Yield the operator of each round; the last is the one that counts."""
    rejected: list[Rejected] = []
    while True:
        operator = workshop.write_operator(target, plan, task, kernel, snapshot, rejected)
        made = integration.build(target, kernel, operator)
        yield made
        if _is_last(rejected, operator.source, _problem(made), workshop.rounds):
            return


def document_rounds(
    workshop: Workshop,
    integration: Integration,
    target: Target,
    plan: Plan,
    task: Task,
    kernel: ChosenKernel,
    snapshot: RepoSnapshot,
    made: TorchOp,
) -> Iterator[DocumentRound]:
    """Yield the document of each round, its examples run; the last is the one that counts."""
    rejected: list[Rejected] = []
    example = usage(target, made.package)
    while True:
        draft = workshop.write_document(target, plan, task, kernel, snapshot, rejected)
        rendered = render_document(draft.text, target, kernel, example, draft.exchange)
        examples = integration.run_examples(target, kernel, made, rendered.markdown)
        document = rendered.model_copy(update={"examples": examples})
        problem = draft.refused or "\n".join((*document.problems, *examples.problems))
        yield DocumentRound(document, draft.exchange, problem)
        if _is_last(rejected, draft.text, problem, workshop.rounds):
            return


def _problem(made: TorchOp) -> str:
    """Return what the agent must mend; nothing when no check failed."""
    if made.operator.refused:
        return made.operator.refused
    return "\n".join(f"{r.check.value}: {r.message}" for r in made.evidence.failures)


def _is_last(rejected: list[Rejected], text: str, problem: str, rounds: int) -> bool:
    """Note a round; say whether nothing is to mend, it came to nothing new, or it was last."""
    is_repeated = bool(rejected) and rejected[-1].text == text
    rejected.append(Rejected(text=text, problem=problem))
    return not problem or is_repeated or len(rejected) == rounds
