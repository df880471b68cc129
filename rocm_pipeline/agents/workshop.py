"""The workshop: the plain Python face of agent work, which the assets and scripts use."""

from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.agents import kernel_task
from rocm_pipeline.agents.bench import Bench
from rocm_pipeline.agents.brief import Brief, EvidenceSummary, RoundFeedback
from rocm_pipeline.agents.choice import choose
from rocm_pipeline.agents.cross_review import CrossReviewer
from rocm_pipeline.agents.desk import Answer, Desk
from rocm_pipeline.agents.embedded import MODEL, EmbeddedServer
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
from rocm_pipeline.agents.proposed_cases import read_cases
from rocm_pipeline.agents.returned_work import reviewed_file, reviewed_kernel
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
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.planning import returned
from rocm_pipeline.planning.claude.archive import summarise
from rocm_pipeline.planning.claude.call import Claude
from rocm_pipeline.planning.claude.context import ChosenContext
from rocm_pipeline.planning.claude.hints import Hints
from rocm_pipeline.planning.claude.opening import open_claude
from rocm_pipeline.planning.claude.packet import Submission
from rocm_pipeline.planning.claude.planner import ClaudePlanner, How, Planned, PlanRequest
from rocm_pipeline.planning.claude.reviewer import ClaudeReviewer, Reviewed
from rocm_pipeline.planning.follow_up import amended
from rocm_pipeline.planning.history import Commit
from rocm_pipeline.planning.plan import Plan, Task
from rocm_pipeline.planning.review import Review
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.records.hints import HintBook
from rocm_pipeline.records.questions import QuestionBook
from rocm_pipeline.records.records import Records
from rocm_pipeline.targets.spec import Target


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
        fleet = Fleet(config.hosts, records.journal, records.leases, preferences=config.preferences)
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
        self._questions = QuestionBook(records.database, records.store)
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
        *,
        beside: Callable[[], Sequence[PlanRequest]] = tuple,
        may_wait: bool = False,
    ) -> Planned:
        """Decompose `target` into tasks: Claude does, or rules where it gives no usable plan.

        Where a review sent work back, its plan is gone on with, and nobody is asked for another.
        `history` is of the snapshot's files, newest first; `run_id` is whose budget is spent.
        `beside` gives the targets that are planned next, which may be asked about in the same call;
        their archives are added here. With `may_wait` Claude is asked in a batch.
        """
        asked = returned.open_follow_up(self.records, target, snapshot.commit)
        if asked is not None:
            return _followed_up(asked)
        request = PlanRequest(target, snapshot, tuple(history), run_id=run_id)
        others = (
            other
            for other in beside()
            if returned.open_follow_up(self.records, other.target, other.snapshot.commit) is None
        )
        planned = ClaudePlanner(self._claude).plan_together(
            self._with_archive(request),
            [self._with_archive(other) for other in others],
            self._questions,
            may_wait=may_wait,
        )
        returned.save(self.records, planned.plan, planned.attempt_id)
        return replace(planned, plan=returned.continued(self.records, planned.plan, target))

    def _with_archive(self, request: PlanRequest) -> PlanRequest:
        return replace(request, archive=summarise(self.records, request.target))

    def propose_cases(
        self, target: Target, plan: Plan, task: Task, snapshot: RepoSnapshot
    ) -> TestSuite:
        """Ask a tester for cases; only those within the target's domain are kept."""
        brief = Brief(target=target, task=task, files=_named(task, snapshot))
        answer = self._desk.ask(brief, plan_id=plan.id)
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
            files=_named(task, snapshot),
            suite=suite,
            baseline=baseline,
            rounds=self._rounds,
            run_id=run_id,
            reviewed=reviewed_kernel(self.records, task),
        )
        others = self._desk.others(task.role)
        return kernel_task.develop(work, self._desk, self._bench, on_reply, self._hints, others)

    def choose(
        self, candidates: CandidateSet, returned_kernels: Collection[str] = frozenset()
    ) -> ChosenKernel:
        """Take the best candidate that no review sent back; see `rocm_pipeline.agents.choice`."""
        return choose(candidates, returned_kernels)

    def write_operator(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        snapshot: RepoSnapshot,
        rejected: Sequence[Rejected] = (),
    ) -> Operator:
        """Ask for the PyTorch operator module around the chosen kernel.

        `rejected` holds the modules of earlier rounds, oldest first, which are to be mended.
        """
        answer = self._about(target, plan, task, kernel, snapshot, OPERATOR_FILE, rejected)
        text, refused = _file(answer, OPERATOR_FILE)
        return Operator(
            target=target.name,
            source=text,
            exchange=answer.exchange,
            reply=answer.reply,
            refused=refused,
        )

    def analyse(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        snapshot: RepoSnapshot,
    ) -> Analysis:
        """Ask for an analysis of the chosen kernel's evidence."""
        answer = self._about(target, plan, task, kernel, snapshot, ANALYSIS_FILE)
        text, refused = _file(answer, ANALYSIS_FILE)
        return Analysis(target=target.name, text=text, exchange=answer.exchange, refused=refused)

    def write_document(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        snapshot: RepoSnapshot,
        rejected: Sequence[Rejected] = (),
    ) -> DocumentDraft:
        """Ask for documentation; it comes with placeholders, not figures."""
        answer = self._about(target, plan, task, kernel, snapshot, DOCUMENTATION_FILE, rejected)
        text, refused = _file(answer, DOCUMENTATION_FILE)
        return DocumentDraft(text=text, exchange=answer.exchange, refused=refused)

    def cross_review(self, target: Target, kernel: ChosenKernel) -> Review:
        """Have the kernel judged by rules and, if there is one, by another model of the fleet."""
        submission = Submission(target=target, candidate=kernel.candidate, evidence=kernel.evidence)
        reviewed = CrossReviewer(self._fleet).review(submission, kernel.exchange)
        return self._kept(target, reviewed)

    def final_review(
        self,
        submission: Submission,
        run_id: str | None = None,
        *,
        beside: Sequence[Submission] = (),
        may_wait: bool = False,
    ) -> Review:
        """Have a kernel judged under the four headings, by rules and by Claude.

        `beside` are kernels of other targets that are reviewed next, and may be asked about in the
        same call. ValueError where a submission lacks its operator or its cross review.
        """
        reviewer = ClaudeReviewer(self._claude, run_id=run_id)
        reviewed = reviewer.review_together(submission, beside, self._questions, may_wait=may_wait)
        return self._kept(submission.target, reviewed)

    def send_back(self, plan: Plan, review: Review, kernel: ChosenKernel) -> Plan:
        """Return the plan with the tasks that a final review asks for, kept for who plans next.

        It is `plan` itself where nothing goes back: no changes are asked, or were twice already.
        """
        author = kernel.exchange.task_id if kernel.exchange else ""
        changed = amended(plan, review, author)
        if changed.id != plan.id:
            before = self.records.plan(plan.id)
            returned.save(self.records, changed, before.attempt_id if before else None)
        return changed

    def _about(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        snapshot: RepoSnapshot,
        file: str,
        rejected: Sequence[Rejected] = (),
    ) -> Answer:
        last = rejected[-1].text if rejected else ""
        files = _named(task, snapshot)
        if last:
            files[f"{file} of the last round"] = last
        if reviewed := reviewed_file(self.records, plan, task, file):
            files[f"{file} that was reviewed"] = reviewed
        brief = Brief(
            target=target,
            task=task,
            files=files,
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


def _followed_up(plan: Plan) -> Planned:
    return Planned(
        plan=plan,
        how=How.REVIEW,
        reason=None,
        detail="",
        problems=(),
        attempts=(),
        context=ChosenContext(blocks=(), files=(), left_out=(), tokens=0),
    )


def _named(task: Task, snapshot: RepoSnapshot) -> dict[str, str]:
    """Return the repository files that a task names, as far as they were taken."""
    return {path: snapshot.files[path] for path in task.context.files if path in snapshot.files}


def _file(answer: Answer, path: str) -> tuple[str, str]:
    text = answer.reply.file(path) if answer.reply else None
    return (text, "") if text is not None else ("", answer.refused or f"no {path} in the reply")
