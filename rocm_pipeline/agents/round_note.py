"""The FEEDBACK block: earlier rounds as short records, which prompts write and agents read."""

from pydantic import BaseModel, ConfigDict, TypeAdapter

from rocm_pipeline.agents.brief import EstimateSummary, EvidenceSummary, FailedCase, RoundFeedback
from rocm_pipeline.agents.wording import describe_finding
from rocm_pipeline.lab.evidence import Status


class RoundNote(BaseModel):
    """One earlier round in a few lines.

    `first_line` is the first line of the source that was sent, by which an agent without a memory
    knows its own kernels again. `occupancy` is the lowest of the kernels, 0 to 1, by architecture;
    `spills` counts spilled registers over all kernels and architectures. `compile_errors` holds the
    compiler's errors alone, without the source lines that the FEEDBACK IN WORDS quotes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    round: int
    candidate: str | None = None
    first_line: str | None = None
    reply_error: str | None = None
    status: Status = Status.NOT_RUN
    tier: str | None = None
    findings: tuple[str, ...] = ()
    compile_errors: dict[str, str] = {}
    failed_cases: tuple[FailedCase, ...] = ()
    spills: int = 0
    occupancy: dict[str, float] = {}
    estimates: tuple[EstimateSummary, ...] = ()


RoundNotes = TypeAdapter(tuple[RoundNote, ...])
"""Reads the JSON of a FEEDBACK block."""


def note_of(feedback: RoundFeedback) -> RoundNote:
    """Return the short record of a round."""
    candidate, evidence = feedback.candidate, feedback.evidence
    note = RoundNote(
        round=feedback.round,
        candidate=candidate.id if candidate else None,
        first_line=candidate.source.partition("\n")[0] if candidate else None,
        reply_error=feedback.reply_error,
    )
    return note.model_copy(update=_of_evidence(evidence)) if evidence else note


def _of_evidence(evidence: EvidenceSummary) -> dict[str, object]:
    kernels = [(c.architecture, kernel) for c in evidence.compiles for kernel in c.kernels]
    occupancy: dict[str, float] = {}
    for name, kernel in kernels:
        occupancy[name] = min(occupancy.get(name, 1.0), round(kernel.occupancy, 3))
    return {
        "status": evidence.status,
        "tier": evidence.tier,
        "findings": tuple(describe_finding(finding) for finding in evidence.findings),
        "compile_errors": {
            c.architecture: _errors(c.message)
            for c in evidence.compiles
            if c.status is not Status.PASSED
        },
        "failed_cases": evidence.failed_cases,
        "spills": sum(kernel.vgpr_spills + kernel.sgpr_spills for _, kernel in kernels),
        "occupancy": occupancy,
        "estimates": evidence.estimates,
    }


def _errors(message: str) -> str:
    """Return the lines of a compiler's message that say what is wrong, or all of them."""
    return "\n".join(line for line in message.splitlines() if "error:" in line) or message
