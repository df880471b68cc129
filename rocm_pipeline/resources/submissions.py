"""What a final review is made from, out of what the stages before it made."""

from collections import Counter

from rocm_pipeline.agents.outcome import ChosenKernel, Document
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.errors import UserError
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.planning.claude.packet import CheckFact, Facts, Submission
from rocm_pipeline.planning.review import Review
from rocm_pipeline.planning.rule_reviewer import OperatorFacts
from rocm_pipeline.resources.artefacts import Artefacts
from rocm_pipeline.resources.asking import Asking
from rocm_pipeline.targets.spec import Target


def submission(
    target: Target,
    kernel: ChosenKernel,
    made: TorchOp,
    cross: Review,
    reproduction: Reproduction | None = None,
    document: Document | None = None,
) -> Submission:
    """Return a kernel with all records that a final reviewer may cite."""
    evidence = made.evidence
    failed = next((r.message for r in evidence.checks if r.status is evidence.status), "")
    checks = (CheckFact(r.check.value, r.status.value, r.message) for r in evidence.checks)
    return Submission(
        target=target,
        candidate=kernel.candidate,
        evidence=kernel.evidence,
        operator=OperatorFacts(
            status=evidence.status,
            evidence_id=evidence.id,
            message=failed,
            could_not_run=evidence.could_not_run,
        ),
        operator_source=made.operator.source,
        operator_checks=tuple(checks),
        reproduction=_of_reproduction(reproduction) if reproduction else None,
        document=_of_document(document) if document else None,
        cross=cross,
        is_baseline=kernel.is_baseline,
    )


def reviewed_beside(artefacts: Artefacts, asking: Asking, target: str) -> tuple[Submission, ...]:
    """Return what other targets of this run have ready for their final review.

    One that lacks anything is left out: it is reviewed by itself, or not at all.
    """
    found: list[Submission] = []
    for name in asking.reviewed_together:
        if name == target:
            continue
        try:
            found.append(
                submission(
                    artefacts.load(f"target/{name}", Target),
                    artefacts.load(f"kernel/{name}", ChosenKernel),
                    artefacts.load(f"torch_op/{name}", TorchOp),
                    artefacts.load(f"cross_review/{name}", Review),
                    artefacts.load(f"reproduction/{name}", Reproduction),
                    artefacts.load(f"documentation/{name}", Document),
                )
            )
        except UserError:
            continue
    return tuple(found)


def _of_reproduction(found: Reproduction) -> Facts:
    """Return the claims that do not stand by name, and why how many others were not checked."""
    unchecked = Counter(row.reason for row in found.unchecked)
    return Facts(
        found.id,
        found.words,
        (
            *(CheckFact(row.claim, row.verdict.value, row.found) for row in found.broken),
            *(
                CheckFact(f"{n} claim{'s' * (n > 1)}", "not checked", why)
                for why, n in unchecked.items()
            ),
        ),
    )


def _of_document(document: Document) -> Facts:
    """Return what the checks of the documentation said; none of its prose."""
    blocks = document.examples.blocks if document.examples else ()
    in_order = not document.problems and not (document.examples and document.examples.problems)
    return Facts(
        document.id,
        "in order" if in_order else "problems were found",
        (
            CheckFact("problems of sections and figures", str(len(document.problems))),
            *(CheckFact(f"{b.kind.value} block, line {b.line}", b.status.value) for b in blocks),
        ),
    )
