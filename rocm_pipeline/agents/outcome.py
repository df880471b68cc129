"""What came of a task: every exchange with a model, and what the harness made of the answer.

These are the values of the Dagster assets, so they hold nothing that differs between two runs
that used the same answers: no clock, no host load, no flag saying that an answer was replayed.
"""

import hashlib

from pydantic import BaseModel, ConfigDict, model_validator

from rocm_pipeline.agents.examples import Examples
from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.targets.spec import Case


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Exchange(_Frozen):
    """One question put to a model and its answer, as the journal holds them."""

    task_id: str
    role: str
    round: int
    attempt_id: str
    reply_id: str
    model: str
    model_digest: str
    host: str
    prompt_sha256: str
    seed: int
    tokens_in: int
    tokens_out: int


class KernelRound(_Frozen):
    """One round of a kernel task: an answer, and the harness's verdict when there was a kernel."""

    exchange: Exchange
    candidate: Candidate | None = None
    evidence: Evidence | None = None
    refused: str = ""
    """Why there is no candidate, in the words sent back to the agent."""
    explanation: str = ""
    confidence: float | None = None
    limitations: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _candidate_or_reason(self) -> "KernelRound":
        if (self.candidate is None) != (self.evidence is None):
            raise ValueError("a candidate and its evidence come together")
        if (self.candidate is None) != bool(self.refused):
            raise ValueError("a round has either a candidate or the reason why not")
        return self


class KernelOutcome(_Frozen):
    """All rounds of one kernel task."""

    task_id: str
    rounds: tuple[KernelRound, ...]
    cut_off: str = ""
    """Why there are no more rounds, where nobody answered the next question."""


class CandidateSet(_Frozen):
    """Every candidate for a target, with the baseline judged by the same harness."""

    target: str
    baseline: Candidate
    baseline_evidence: Evidence
    outcomes: tuple[KernelOutcome, ...]

    @property
    def judged(self) -> tuple[KernelRound, ...]:
        return tuple(r for o in self.outcomes for r in o.rounds if r.candidate is not None)

    @property
    def cut_off(self) -> tuple[str, ...]:
        """Why tasks ended for want of an answer, without repeats."""
        return tuple(dict.fromkeys(o.cut_off for o in self.outcomes if o.cut_off))

    @property
    def passed(self) -> tuple[KernelRound, ...]:
        return tuple(
            r for r in self.judged if r.evidence is not None and r.evidence.status is Status.PASSED
        )


class ChosenKernel(_Frozen):
    """The kernel that goes on: the best that passed, or the baseline when none is better."""

    target: str
    candidate: Candidate
    evidence: Evidence
    is_baseline: bool
    exchange: Exchange | None
    """The exchange that wrote it; None for the baseline."""
    reason: str
    explanation: str = ""


class TestSuite(_Frozen):
    """Cases a testing agent added to the target's own; refused ones keep their reason."""

    target: str
    cases: tuple[Case, ...]
    refused: tuple[str, ...] = ()
    exchanges: tuple[Exchange, ...] = ()


class Operator(_Frozen):
    """The operator module an agent wrote, before it is judged."""

    target: str
    source: str
    exchange: Exchange | None
    reply: Reply | None = None
    refused: str = ""


class Rejected(_Frozen):
    """A file of an earlier round and why it was not taken, as the agent is told."""

    text: str
    problem: str


class Analysis(_Frozen):
    """The profiling agent's text; every figure in it is a placeholder filled from evidence."""

    target: str
    text: str
    exchange: Exchange | None
    refused: str = ""


class Document(_Frozen):
    """Documentation as rendered from evidence."""

    target: str
    markdown: str
    problems: tuple[str, ...]
    """What the documentation check found: missing sections, numbers not in the evidence."""
    exchange: Exchange | None
    examples: Examples | None = None
    """What came of its code; None when nobody looked."""

    @property
    def id(self) -> str:
        return document_id(self.markdown)


def document_id(markdown: str) -> str:
    """Return the id by which reviews cite a document."""
    return "doc-" + hashlib.sha256(markdown.encode()).hexdigest()[:16]
