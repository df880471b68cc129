"""A model's judgement of kernels: its form, what makes one invalid, and the Review made from it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rocm_pipeline.planning.claude.citations import problem
from rocm_pipeline.planning.claude.packet import Packet
from rocm_pipeline.planning.review import Heading, Review, ReviewFinding, Verdict
from rocm_pipeline.quoting.untrusted import untrusted

MAX_FINDINGS = 12
"""For one kernel; more is a model that runs away."""
MAX_MESSAGE = 600

_MEANING = {
    "architecture": Heading.ARCHITECTURE,
    "integration": Heading.INTEGRATION,
    "security": Heading.SECURITY,
    "upstream": Heading.UPSTREAM,
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Remark(_Frozen):
    """One finding as a model writes it."""

    severity: Literal["blocker", "major", "minor", "note"]
    message: str = Field(min_length=1)
    cites: str


class Judgement(_Frozen):
    """A model's verdict on one kernel; each heading must be there, and may be empty."""

    kernel: str
    verdict: Verdict
    architecture: tuple[Remark, ...]
    integration: tuple[Remark, ...]
    security: tuple[Remark, ...]
    upstream: tuple[Remark, ...]

    @property
    def remarks(self) -> tuple[tuple[Heading, Remark], ...]:
        return tuple((h, r) for name, h in _MEANING.items() for r in getattr(self, name))


class Judgements(_Frozen):
    """The answer to a request for several reviews."""

    reviews: tuple[Judgement, ...]


def sort_out(
    judgements: Judgements, packets: Sequence[Packet]
) -> tuple[dict[str, Judgement], dict[str, str]]:
    """Return the valid judgements by kernel, and what is wrong with the others, in words.

    Every packet's kernel is in exactly one of the two. What is said of any other kernel is dropped.
    """
    valid: dict[str, Judgement] = {}
    wrong: dict[str, str] = {}
    for packet in packets:
        found = [j for j in judgements.reviews if j.kernel == packet.kernel]
        if len(found) != 1:
            wrong[packet.kernel] = f"{len(found) or 'no'} reviews of this kernel, not one"
        elif problems := list(_problems(found[0], packet)):
            wrong[packet.kernel] = "; ".join(problems)
        else:
            valid[packet.kernel] = found[0]
    return valid, wrong


def in_words(wrong: Mapping[str, str]) -> str:
    """Return the problems for whoever is to mend them, a line for each kernel."""
    return "\n".join(f"{kernel}: {words}" for kernel, words in wrong.items())


def _problems(judgement: Judgement, packet: Packet) -> Iterator[str]:
    remarks = judgement.remarks
    if len(remarks) > MAX_FINDINGS:
        yield f"{len(remarks)} findings, at most {MAX_FINDINGS} are taken"
    for heading, remark in remarks:
        refused = problem(remark.cites, packet)
        if refused:
            yield f"a finding under {heading.value} cites {refused}"
    deserved = _verdict_of([remark.severity for _, remark in remarks])
    if judgement.verdict is not deserved:
        yield f"the verdict is {judgement.verdict.value}, its findings say {deserved.value}"


def _verdict_of(severities: Sequence[str]) -> Verdict:
    if "blocker" in severities:
        return Verdict.REJECT
    return Verdict.CHANGES if "major" in severities else Verdict.APPROVE


def joined(rules: Review, judgement: Judgement, packet: Packet, model: str) -> Review:
    """Return the review of rules and model together: a model adds findings and removes none."""
    cited = {remark.cites for _, remark in judgement.remarks}
    findings = (
        *rules.findings,
        *(
            ReviewFinding(
                heading=heading,
                severity=remark.severity,
                message=untrusted(remark.message, MAX_MESSAGE).text,
                cites=remark.cites,
            )
            for heading, remark in judgement.remarks
        ),
    )
    return Review(
        subject=rules.subject,
        reviewer=f"{rules.reviewer} and {model}",
        kind=rules.kind,
        verdict=_verdict_of([finding.severity for finding in findings]),
        findings=findings,
        evidence_ids=(
            *rules.evidence_ids,
            *(i for i in packet.evidence_ids if i in cited and i not in rules.evidence_ids),
        ),
    )


def by_rules_alone(rules: Review, why: str) -> Review:
    """Return the rules' review with the reason why no model judged."""
    return rules.model_copy(update={"unasked": why})
