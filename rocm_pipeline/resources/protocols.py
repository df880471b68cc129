"""What the assets need, as they see it; tests hand in other implementations."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rocm_pipeline.agents.examples import Examples
from rocm_pipeline.agents.outcome import (
    Analysis,
    CandidateSet,
    ChosenKernel,
    Document,
    KernelOutcome,
    KernelRound,
    Operator,
    Rejected,
    TestSuite,
)
from rocm_pipeline.agents.workshop import DocumentDraft
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.planning.claude.packet import Submission
from rocm_pipeline.planning.claude.planner import Planned, PlanRequest
from rocm_pipeline.planning.history import Commit
from rocm_pipeline.planning.plan import Plan, Task
from rocm_pipeline.planning.review import Review
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.publishing.pull_request import Proposal
from rocm_pipeline.reporting.page import ReportInputs
from rocm_pipeline.targets.spec import Target


@dataclass(frozen=True)
class BundleParts:
    """What came of a target, as far as a bundle holds it."""

    target: Target
    kernel: ChosenKernel
    baseline_evidence: Evidence
    reproduction: Reproduction
    operator: TorchOp
    document: Document
    reviews: tuple[Review, ...]


class Sources(Protocol):
    """Where targets and the configured repository are read."""

    def names(self) -> tuple[str, ...]: ...

    def target(self, name: str) -> Target: ...

    def snapshot(self, target: Target) -> RepoSnapshot: ...

    def history(self, snapshot: RepoSnapshot) -> tuple[Commit, ...]:
        """Return the last commits that touched the snapshot's files, newest first."""
        ...

    def sent_back(self, target: Target, snapshot: RepoSnapshot) -> Plan | None:
        """Return the plan with the changes that the last final review asked for.

        None where it asked for none, and once a review of what came of them was made.
        """
        ...


class History(Protocol):
    """The commits of the configured repository; see `rocm_pipeline.publishing.repository`."""

    def head(self) -> str: ...

    def is_ancestor(self, older: str, newer: str) -> bool: ...

    def commits_after(self, older: str | None, limit: int) -> list[str]:
        """Return the newest commits after `older`, oldest first."""
        ...

    def changed_files(self, older: str | None, newer: str) -> list[str]: ...


class Workshop(Protocol):
    """Agents at work; see `rocm_pipeline.agents.workshop.Workshop`."""

    def plan(
        self,
        target: Target,
        snapshot: RepoSnapshot,
        history: Sequence[Commit] = (),
        run_id: str | None = None,
        *,
        beside: Callable[[], Sequence[PlanRequest]] = tuple,
        may_wait: bool = False,
    ) -> Planned: ...

    def propose_cases(
        self, target: Target, plan: Plan, task: Task, snapshot: RepoSnapshot
    ) -> TestSuite: ...

    def judge_baseline(self, target: Target, suite: TestSuite) -> tuple[Candidate, Evidence]: ...

    def develop(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        suite: TestSuite,
        snapshot: RepoSnapshot,
        on_reply: Callable[[KernelRound], None],
        run_id: str | None = None,
    ) -> KernelOutcome: ...

    def choose(
        self, candidates: CandidateSet, returned_kernels: Collection[str] = frozenset()
    ) -> ChosenKernel: ...

    @property
    def rounds(self) -> int: ...

    def write_operator(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        snapshot: RepoSnapshot,
        rejected: Sequence[Rejected] = (),
    ) -> Operator: ...

    def analyse(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        snapshot: RepoSnapshot,
    ) -> Analysis: ...

    def write_document(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        snapshot: RepoSnapshot,
        rejected: Sequence[Rejected] = (),
    ) -> DocumentDraft: ...

    def cross_review(self, target: Target, kernel: ChosenKernel) -> Review: ...

    def final_review(
        self,
        submission: Submission,
        run_id: str | None = None,
        *,
        beside: Sequence[Submission] = (),
        may_wait: bool = False,
    ) -> Review: ...

    def send_back(self, plan: Plan, review: Review, kernel: ChosenKernel) -> Plan:
        """Keep the plan that a final review asks for; `plan` where nothing goes back."""
        ...


class Integration(Protocol):
    """Makes and judges the PyTorch operator package, and what documentation shows of its use."""

    def build(self, target: Target, kernel: ChosenKernel, operator: Operator) -> TorchOp: ...

    def run_examples(
        self, target: Target, kernel: ChosenKernel, made: TorchOp, markdown: str
    ) -> Examples: ...


class Bundles(Protocol):
    """Evidence that travels; see `rocm_pipeline.bundle`."""

    def reproduce(
        self, target: Target, kernel: ChosenKernel, baseline_evidence: Evidence
    ) -> Reproduction:
        """Judge the kernel's bundle again in a clean workspace, once for each evidence."""
        ...

    def files(self, parts: BundleParts) -> dict[str, str]:
        """Return the files of the bundle that a pull request carries."""
        ...


class Publishing(Protocol):
    """Leaves a branch that can be proposed, or says why not."""

    def propose(self, proposal: Proposal) -> PullRequest: ...


class Reporting(Protocol):
    """Writes what a person reads."""

    def lineage(self, kernel: ChosenKernel) -> str:
        """Return the chain from the kernel back to the commit, as text."""
        ...

    def page(self, inputs: ReportInputs) -> Path:
        """Write the target's page and return its path."""
        ...
