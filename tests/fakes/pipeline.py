"""Resources of the pipeline without models, compilers or git, which count what they are asked."""

# ruff: noqa: ARG002 - they take what the real ones take

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from rocm_pipeline.agents.examples import Examples
from rocm_pipeline.agents.outcome import (
    Analysis,
    CandidateSet,
    ChosenKernel,
    KernelOutcome,
    KernelRound,
    Operator,
    Rejected,
    TestSuite,
)
from rocm_pipeline.agents.workshop import DocumentDraft
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.planning.claude.opening import NoClaude
from rocm_pipeline.planning.claude.packet import Submission
from rocm_pipeline.planning.claude.planner import ClaudePlanner, Planned, PlanRequest
from rocm_pipeline.planning.history import Commit
from rocm_pipeline.planning.plan import Plan, Task
from rocm_pipeline.planning.review import Review, Verdict
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.publishing.pull_request import Proposal, proposal_files
from rocm_pipeline.reporting.document import SECTIONS
from rocm_pipeline.reporting.page import ReportInputs
from rocm_pipeline.resources.artefacts import ArtefactIOManager, Artefacts
from rocm_pipeline.resources.protocols import BundleParts
from rocm_pipeline.targets.spec import Target
from tests.fakes.values import (
    a_candidate,
    a_passing_evidence,
    a_reproduction,
    a_round,
    a_target,
    an_exchange,
    an_operator_evidence,
    some_examples,
)

COMPLETE_DOCUMENT = "\n".join(f"## {section}\n\nIn words.\n" for section in SECTIONS)


@dataclass
class FakeSources:
    """Built-in targets, and a repository whose one file can be changed."""

    kernel_text: str = "__global__ void k() {}\n"
    title: str = ""

    def names(self) -> tuple[str, ...]:
        return ("row_softmax", "flash_attention")

    def target(self, name: str) -> Target:
        found = a_target(name)
        return found.model_copy(update={"title": self.title}) if self.title else found

    def snapshot(self, target: Target) -> RepoSnapshot:
        return RepoSnapshot(
            repository="example",
            commit="c0ffee",
            files={f"kernels/{target.name}/kernel.hip": self.kernel_text},
        )

    def history(self, snapshot: RepoSnapshot) -> tuple[Commit, ...]:
        return ()

    def sent_back(self, target: Target, snapshot: RepoSnapshot) -> Plan | None:
        return None


@dataclass
class FakeWorkshop:
    """Answers at once; each field says what the next answers are like."""

    calls: Counter[str] = field(default_factory=Counter[str])
    case_name_scale: float = 1.0
    kernels_pass: bool = True
    speedup: float = 2.0
    document: str = COMPLETE_DOCUMENT
    analysis: str = "Memory bound."
    rounds: int = 3
    rejected: tuple[Rejected, ...] = ()
    """What the latest operator was asked to mend."""
    rejected_documents: tuple[Rejected, ...] = ()
    approves: bool = True
    beside: dict[str, list[tuple[str, ...]]] = field(
        default_factory=dict[str, list[tuple[str, ...]]]
    )
    """Which other targets each plan and each final review was asked beside, in order."""
    fails_for: str = ""
    """The target that cannot be planned."""
    ask: Callable[[str, str | None], None] | None = None
    """Called where Claude is asked, with the question and the run whose budget is spent."""

    def plan(
        self,
        target: Target,
        snapshot: RepoSnapshot,
        history: Sequence[Commit] = (),
        run_id: str | None = None,
        *,
        beside: Callable[[], Sequence[PlanRequest]] = tuple,
        may_wait: bool = False,
    ) -> Planned:
        self.calls["plan"] += 1
        self.beside.setdefault("plan", []).append(tuple(r.target.name for r in beside()))
        if target.name == self.fails_for:
            raise UserError("no plan", where=target.name, fix="Try again.")
        self._ask(f"plan {target.name}", run_id)
        return ClaudePlanner(NoClaude()).plan(target, snapshot, history)

    def propose_cases(
        self, target: Target, plan: Plan, task: Task, snapshot: RepoSnapshot
    ) -> TestSuite:
        self.calls["propose_cases"] += 1
        case = target.public_cases[0].model_copy(update={"scale": self.case_name_scale})
        return TestSuite(target=target.name, cases=(case,), exchanges=(an_exchange(task),))

    def judge_baseline(self, target: Target, suite: TestSuite) -> tuple[Candidate, Evidence]:
        self.calls["judge_baseline"] += 1
        candidate = a_candidate(target)
        return candidate, a_passing_evidence(target, candidate, 1.0)

    def develop(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        suite: TestSuite,
        snapshot: RepoSnapshot,
        on_reply: Callable[[KernelRound], None],
        run_id: str | None = None,
    ) -> KernelOutcome:
        self.calls["develop"] += 1
        self._ask(f"develop {task.id} of {target.name}", run_id)
        found = a_round(target, task, task.id, passes=self.kernels_pass, speedup=self.speedup)
        on_reply(found)
        return KernelOutcome(task_id=task.id, rounds=(found,))

    def choose(
        self, candidates: CandidateSet, returned_kernels: Collection[str] = frozenset()
    ) -> ChosenKernel:
        best = candidates.passed[0]
        assert best.candidate is not None
        assert best.evidence is not None
        return ChosenKernel(
            target=candidates.target,
            candidate=best.candidate,
            evidence=best.evidence,
            is_baseline=False,
            exchange=best.exchange,
            reason="the first",
        )

    def write_operator(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        snapshot: RepoSnapshot,
        rejected: Sequence[Rejected] = (),
    ) -> Operator:
        self.calls["write_operator"] += 1
        self.rejected = tuple(rejected)
        source = f"import torch  # round {len(rejected) + 1}\n"
        return Operator(target=target.name, source=source, exchange=an_exchange(task))

    def analyse(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        snapshot: RepoSnapshot,
    ) -> Analysis:
        self.calls["analyse"] += 1
        return Analysis(target=target.name, text=self.analysis, exchange=an_exchange(task))

    def write_document(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        snapshot: RepoSnapshot,
        rejected: Sequence[Rejected] = (),
    ) -> DocumentDraft:
        self.calls["write_document"] += 1
        self.rejected_documents = tuple(rejected)
        return DocumentDraft(text=self.document, exchange=an_exchange(task))

    def cross_review(self, target: Target, kernel: ChosenKernel) -> Review:
        return self._review("cross", kernel)

    def final_review(
        self,
        submission: Submission,
        run_id: str | None = None,
        *,
        beside: Sequence[Submission] = (),
        may_wait: bool = False,
    ) -> Review:
        self.beside.setdefault("final", []).append(tuple(s.target.name for s in beside))
        self._ask(f"review {submission.target.name}", run_id)
        return self._review("final", submission)

    def send_back(self, plan: Plan, review: Review, kernel: ChosenKernel) -> Plan:
        return plan

    def _ask(self, question: str, run_id: str | None) -> None:
        if self.ask is not None:
            self.ask(question, run_id)

    def _review(self, kind: str, kernel: ChosenKernel | Submission) -> Review:
        return Review.model_validate(
            {
                "subject": kernel.candidate.id,
                "reviewer": "rules",
                "kind": kind,
                "verdict": Verdict.APPROVE if self.approves else Verdict.CHANGES,
                "findings": (),
                "evidence_ids": (kernel.evidence.id,),
            }
        )


@dataclass
class FakeIntegration:
    """Gives every operator the same verdict, and every example another."""

    status: Status = Status.NOT_RUN
    examples: Status = Status.PASSED

    def build(self, target: Target, kernel: ChosenKernel, operator: Operator) -> TorchOp:
        evidence = an_operator_evidence(target, kernel.candidate, self.status)
        return TorchOp(target=target.name, operator=operator, package=None, evidence=evidence)

    def run_examples(
        self, target: Target, kernel: ChosenKernel, made: TorchOp, markdown: str
    ) -> Examples:
        return some_examples(self.examples)


@dataclass
class FakeBundles:
    """Reproduces everything, or finds another outcome."""

    calls: int = 0
    reproduces: bool = True

    def reproduce(
        self, target: Target, kernel: ChosenKernel, baseline_evidence: Evidence
    ) -> Reproduction:
        self.calls += 1
        return a_reproduction(target, kernel.candidate, kernel.evidence, broken=not self.reproduces)

    def files(self, parts: BundleParts) -> dict[str, str]:
        return {"manifest.json": parts.reproduction.model_dump_json()}


class FakePublishing:
    """Lists the files of a proposal without a repository."""

    def propose(self, proposal: Proposal) -> PullRequest:
        approved = proposal.review.verdict is Verdict.APPROVE
        return PullRequest(
            target=proposal.target.name,
            branch=f"agent/{proposal.target.name}" if approved else "",
            commit="beef" if approved else None,
            base_commit=proposal.snapshot.commit,
            files=tuple(sorted(proposal_files(proposal))) if approved else (),
            body=proposal.body,
            reason="" if approved else "not approved",
        )


class FakeReporting:
    """Writes nothing."""

    def lineage(self, kernel: ChosenKernel) -> str:
        return kernel.candidate.id

    def page(self, inputs: ReportInputs) -> Path:
        return Path(f"/reports/{inputs.target.name}.html")


@dataclass
class FakePipeline:
    """All resources of one test, over a home of its own."""

    home: Home
    sources: FakeSources = field(default_factory=FakeSources)
    workshop: FakeWorkshop = field(default_factory=FakeWorkshop)
    integration: FakeIntegration = field(default_factory=FakeIntegration)
    bundles: FakeBundles = field(default_factory=FakeBundles)

    def resources(self) -> dict[str, object]:
        return {
            "home": self.home,
            "sources": self.sources,
            "history": dg.ResourceDefinition.none_resource(),
            "workshop": self.workshop,
            "integration": self.integration,
            "bundles": self.bundles,
            "publishing": FakePublishing(),
            "reporting": FakeReporting(),
            "io_manager": ArtefactIOManager(Artefacts.open(self.home)),
        }
