"""The workshop: the plain Python face of agent work, which the assets and scripts use."""

import hashlib
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache

from pydantic import BaseModel, ConfigDict, ValidationError

from rocm_pipeline.agents import kernel_task
from rocm_pipeline.agents.bench import Bench
from rocm_pipeline.agents.brief import Brief, EvidenceSummary, RoundFeedback
from rocm_pipeline.agents.cross_review import CrossReviewer
from rocm_pipeline.agents.desk import Answer, Desk
from rocm_pipeline.agents.embedded import MODEL, EmbeddedServer, model_digest
from rocm_pipeline.agents.outcome import (
    Analysis,
    CandidateSet,
    ChosenKernel,
    Exchange,
    KernelOutcome,
    KernelRound,
    Operator,
    Rejected,
    TestSuite,
)
from rocm_pipeline.agents.roles import (
    ANALYSIS_FILE,
    CASES_FILE,
    DOCUMENTATION_FILE,
    OPERATOR_FILE,
)
from rocm_pipeline.fleet.hosts import FleetConfig, Host, find_config
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.home import Home, rounds
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.cases import within_domain
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.ranking import score
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.planning.claude.archive import summarise
from rocm_pipeline.planning.claude.call import Claude
from rocm_pipeline.planning.claude.hints import Hints
from rocm_pipeline.planning.claude.opening import open_claude
from rocm_pipeline.planning.claude.packet import OperatorUnderReview, Submission
from rocm_pipeline.planning.claude.planner import ClaudePlanner, Planned
from rocm_pipeline.planning.claude.reviewer import ClaudeReviewer, Reviewed
from rocm_pipeline.planning.claude.settings import has_key, read_settings
from rocm_pipeline.planning.history import Commit
from rocm_pipeline.planning.plan import Plan, Task
from rocm_pipeline.planning.review import Review
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.records.hints import HintBook
from rocm_pipeline.records.records import Records
from rocm_pipeline.targets.spec import Case, Target
from rocm_pipeline.versions import package_sha256

WORTH_IT = 1.02
"""Estimated speed-up below which the baseline stays: less is within the estimator's own grain."""
MAX_AGENT_CASES = 12


class DocumentDraft(BaseModel):
    """Documentation as the agent wrote it, with placeholders for every figure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    exchange: Exchange | None
    refused: str = ""


@contextmanager
def open_fleet(home: Home, records: Records) -> Generator[Fleet]:
    """Yield the configured fleet; with none configured, one whose only host is embedded."""
    config = find_config(home.path)
    with ExitStack() as stack:
        if config is None:
            server = stack.enter_context(EmbeddedServer())
            config = FleetConfig(hosts=(Host(name="embedded", url=server.url, models=(MODEL,)),))
        fleet = Fleet(config.hosts, records.journal, preferences=config.preferences)
        fleet.survey(require=True)
        yield fleet


class Workshop:
    """Does the tasks of a plan. Opened by `open`, which also starts what it needs."""

    def __init__(
        self, fleet: Fleet, harness: Harness, records: Records, claude: Claude, rounds: int
    ) -> None:
        self.records = records
        self.harness = harness
        self._fleet = fleet
        self._claude = claude
        self._desk = Desk(fleet, records)
        self._bench = Bench(harness, records)
        self._hints = Hints(claude, HintBook(records.database, records.store))
        self._rounds = rounds

    @classmethod
    @contextmanager
    def open(cls, home: Home) -> Generator["Workshop"]:
        """Yield a workshop over the records, the fleet and the harness of `home`."""
        records = Records.open(home.records_url, str(home.store))
        with ExitStack() as stack:
            stack.callback(records.close)
            fleet = stack.enter_context(open_fleet(home, records))
            claude = stack.enter_context(open_claude(home.path, records))
            harness = Harness(Sandbox.detect(), home.cache)
            yield cls(fleet, harness, records, claude, rounds())

    @property
    def rounds(self) -> int:
        """How many times a task may answer."""
        return self._rounds

    def plan(
        self,
        target: Target,
        snapshot: RepoSnapshot,
        history: Sequence[Commit] = (),
        run_id: str | None = None,
    ) -> Planned:
        """Decompose `target` into tasks: Claude does, or rules where it gives no usable plan.

        `history` is of the snapshot's files, newest first; `run_id` is whose budget is spent.
        """
        planned = ClaudePlanner(self._claude).plan(
            target, snapshot, history, summarise(self.records, target), run_id=run_id
        )
        plan = planned.plan
        self.records.save_plan(
            plan.id,
            target=target.name,
            commit=plan.commit,
            planner=plan.planner,
            document=plan.model_dump_json(),
        )
        for task in plan.tasks:
            self.records.save_task(
                plan.id,
                task.id,
                target=target.name,
                role=task.role.value,
                document=task.model_dump_json(),
            )
        return planned

    def propose_cases(self, target: Target, plan: Plan, task: Task) -> TestSuite:
        """Ask a tester for cases; only those within the target's domain are kept."""
        answer = self._desk.ask(Brief(target=target, task=task), plan_id=plan.id)
        text = answer.reply.file(CASES_FILE) if answer.reply else None
        if text is None:
            return TestSuite(
                target=target.name,
                cases=(),
                refused=(answer.refused or f"no {CASES_FILE} in the reply",),
                exchanges=(answer.exchange,),
            )
        cases, refused = read_cases(target, text)
        return TestSuite(
            target=target.name, cases=cases, refused=refused, exchanges=(answer.exchange,)
        )

    def judge_baseline(self, target: Target, suite: TestSuite) -> tuple[Candidate, Evidence]:
        """Judge the target's baseline on the same cases as every candidate."""
        return self._bench.baseline(target, suite.cases)

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
        """Do a kernel task: several rounds of asking and judging."""
        _, baseline = self.judge_baseline(target, suite)
        work = kernel_task.KernelTask(
            target=target,
            plan_id=plan.id,
            task=task,
            files={p: snapshot.files[p] for p in task.context.files if p in snapshot.files},
            suite=suite,
            baseline=baseline,
            rounds=self._rounds,
            run_id=run_id,
        )
        return kernel_task.develop(work, self._desk, self._bench, on_reply, self._hints)

    def choose(self, candidates: CandidateSet) -> ChosenKernel:
        """Take the candidate with the best estimate, or the baseline when none is better."""
        ranked = sorted(
            (
                (value, found)
                for found in candidates.passed
                if found.evidence and (value := score(found.evidence)) is not None
            ),
            key=lambda pair: pair[0],
            reverse=True,
        )
        if not ranked or ranked[0][0] < WORTH_IT or not ranked[0][1].candidate:
            return ChosenKernel(
                target=candidates.target,
                candidate=candidates.baseline,
                evidence=candidates.baseline_evidence,
                is_baseline=True,
                exchange=None,
                reason=_why_baseline(candidates, bool(ranked)),
            )
        best = ranked[0][1]
        assert best.candidate is not None
        assert best.evidence is not None
        return ChosenKernel(
            target=candidates.target,
            candidate=best.candidate,
            evidence=best.evidence,
            is_baseline=False,
            exchange=best.exchange,
            reason=f"best estimate of {len(ranked)} candidates that passed every check",
            explanation=best.explanation,
        )

    def write_operator(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        rejected: Sequence[Rejected] = (),
    ) -> Operator:
        """Ask for the PyTorch operator module around the chosen kernel.

        `rejected` holds the modules of earlier rounds, oldest first, which are to be mended.
        """
        answer = self._about(target, plan, task, kernel, OPERATOR_FILE, rejected)
        text, refused = _file(answer, OPERATOR_FILE)
        return Operator(
            target=target.name,
            source=text,
            exchange=answer.exchange,
            reply=answer.reply,
            refused=refused,
        )

    def analyse(self, target: Target, plan: Plan, task: Task, kernel: ChosenKernel) -> Analysis:
        """Ask for an analysis of the chosen kernel's evidence."""
        answer = self._about(target, plan, task, kernel, ANALYSIS_FILE)
        text, refused = _file(answer, ANALYSIS_FILE)
        return Analysis(target=target.name, text=text, exchange=answer.exchange, refused=refused)

    def write_document(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        rejected: Sequence[Rejected] = (),
    ) -> DocumentDraft:
        """Ask for documentation; it comes with placeholders, not figures."""
        answer = self._about(target, plan, task, kernel, DOCUMENTATION_FILE, rejected)
        text, refused = _file(answer, DOCUMENTATION_FILE)
        return DocumentDraft(text=text, exchange=answer.exchange, refused=refused)

    def cross_review(self, target: Target, kernel: ChosenKernel) -> Review:
        """Have the kernel judged by rules and, if there is one, by another model of the fleet."""
        submission = Submission(target=target, candidate=kernel.candidate, evidence=kernel.evidence)
        reviewed = CrossReviewer(self._fleet).review(submission, kernel.exchange)
        return self._kept(target, reviewed)

    def final_review(
        self,
        target: Target,
        kernel: ChosenKernel,
        operator: OperatorUnderReview,
        cross: Review,
        run_id: str | None = None,
    ) -> Review:
        """Have the kernel judged under the four headings, by rules and by Claude."""
        submission = Submission(
            target=target,
            candidate=kernel.candidate,
            evidence=kernel.evidence,
            operator=operator.facts,
            operator_source=operator.source,
            operator_checks=operator.checks,
            cross=cross,
        )
        (reviewed,) = ClaudeReviewer(self._claude, run_id=run_id).review([submission])
        return self._kept(target, reviewed)

    def _about(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        file: str,
        rejected: Sequence[Rejected] = (),
    ) -> Answer:
        last = rejected[-1].text if rejected else ""
        brief = Brief(
            target=target,
            task=task,
            files={f"{file} of the last round": last} if last else {},
            feedback=tuple(
                RoundFeedback(round=number, reply_error=earlier.problem)
                for number, earlier in enumerate(rejected, start=1)
            ),
            kernel=kernel.candidate,
            evidence=EvidenceSummary.of(kernel.evidence),
        )
        return self._desk.ask(brief, plan_id=plan.id, round=len(rejected) + 1)

    def _kept(self, target: Target, reviewed: Reviewed) -> Review:
        review = reviewed.review
        self.records.save_review(
            review.id,
            candidate_id=review.subject,
            target=target.name,
            reviewer=review.reviewer,
            verdict=review.verdict.value,
            evidence_ids=review.evidence_ids,
            document=review.model_dump_json(),
            attempt_id=reviewed.attempt_id,
        )
        return review


_STAGE_PACKAGES: dict[str, tuple[str, ...]] = {
    "plan": ("lab", "planning", "quoting"),
    "test_suite": ("agents", "lab", "quoting"),
    "kernel_candidates": ("agents", "lab", "planning", "quoting"),
    "kernel": ("agents", "lab"),
    "reproduction": ("bundle", "lab"),
    "torch_op": ("agents", "integration", "lab", "quoting"),
    "benchmark": ("agents", "lab", "quoting"),
    "documentation": ("agents", "integration", "quoting", "reporting"),
    "cross_review": ("agents", "planning", "quoting"),
    "final_review": ("planning", "quoting"),
    "pull_request": ("bundle", "publishing", "reporting"),
    "report": ("bundle", "reporting"),
}
"""The packages whose code a stage's result depends on."""

_ASKING = (
    "test_suite", "kernel_candidates", "torch_op", "benchmark", "documentation", "cross_review",
)  # fmt: skip
_ASKING_CLAUDE = ("plan", "kernel_candidates", "final_review")


@cache
def code_version(stage: str) -> str:
    """Return what the stage's result depends on besides its inputs, as a short hash.

    The code of the packages it uses (prompts and harness included), and for a stage that asks
    agents who would answer: the configured hosts and their models, or the embedded agent; for one
    that asks Claude its settings, where there is a key. Reads files, never the network.
    """
    parts = [package_sha256(f"rocm_pipeline.{name}") for name in _STAGE_PACKAGES[stage]]
    if stage in _ASKING:
        config = find_config(Home.from_environment().path)
        parts += [config.model_dump_json() if config else model_digest(), str(rounds())]
    if stage in _ASKING_CLAUDE and has_key():
        parts.append(read_settings(Home.from_environment().path).model_dump_json())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def read_cases(target: Target, text: str) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """Return the cases of an agent's file, and why others are not taken.

    A case only ever adds to what a kernel is judged by, so one that is there already is refused:
    it would count as testing and test nothing.
    """
    try:
        proposed = _CaseList.model_validate_json(f'{{"cases": {text}}}').cases
    except ValidationError as error:
        return (), (f"{CASES_FILE}: {error.errors()[0]['msg']}",)
    kept: dict[str, Case] = {}
    refused: list[str] = []
    own = {case.name for case in target.public_cases}
    for case in proposed:
        reason = within_domain(target, case)
        if reason:
            refused.append(f"{case.name}: {reason}")
        elif case.name in own or case.name in kept:
            refused.append(f"{case.name}: tests nothing new, the case is there already")
        elif len(kept) < MAX_AGENT_CASES:
            kept[case.name] = case
        else:
            refused.append(f"{case.name}: more than {MAX_AGENT_CASES} cases")
    return tuple(kept.values()), tuple(refused)


class _CaseList(BaseModel):
    cases: tuple[Case, ...]


def _file(answer: Answer, path: str) -> tuple[str, str]:
    text = answer.reply.file(path) if answer.reply else None
    return (text, "") if text is not None else ("", answer.refused or f"no {path} in the reply")


def _why_baseline(candidates: CandidateSet, any_passed: bool) -> str:
    if any_passed:
        return "no candidate that passed is estimated to be faster than the baseline"
    judged = len(candidates.judged)
    return f"none of {judged} candidates passed every check" if judged else "no agent sent a kernel"
