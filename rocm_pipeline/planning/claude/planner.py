"""The planner that asks Claude, mends an invalid answer once, and else plans by rules.

A plan always comes of it, and `Planned` says how. The plan's own `planner` says it too, in words
that do not change from run to run, since they are part of the plan's id.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from rocm_pipeline.errors import one_line
from rocm_pipeline.planning.claude.archive import Archive
from rocm_pipeline.planning.claude.call import (
    Answer,
    Call,
    Claude,
    Form,
    Purpose,
    Reason,
    UnansweredError,
)
from rocm_pipeline.planning.claude.context import BUDGET, ChosenContext, choose
from rocm_pipeline.planning.claude.form import InvalidPlanError, PlanForm, plan_of
from rocm_pipeline.planning.claude.instructions import planner_system
from rocm_pipeline.planning.claude.joint_plan import (
    MOST_TARGETS,
    joint_call,
    joint_question,
    part_of,
)
from rocm_pipeline.planning.claude.question import question
from rocm_pipeline.planning.claude.shared import (
    ASKED_ALONE_AFTER,
    Questions,
    SharedQuestion,
    key_of,
)
from rocm_pipeline.planning.history import Commit
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.planning.rules import because, make_plan
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.quoting.blocks import Block
from rocm_pipeline.quoting.untrusted import untrusted
from rocm_pipeline.targets.spec import Target

MAX_TOKENS = 16_000
"""Of an answer; models that think count their thoughts among them."""
MAX_ANSWER = 20_000
"""Characters of an invalid answer that are shown again."""
MAX_PROBLEMS = 20
MAX_PROBLEM = 500

Rules = Callable[[Target, str, Sequence[str]], Plan]


class How(str, Enum):
    """How a plan came about."""

    CLAUDE = "Claude"
    REPAIRED = "Claude, after one repair"
    RULES = "rules"
    REVIEW = "changes that a review asked for"
    """Nobody planned anew: the last plan is gone on with."""


@dataclass(frozen=True)
class PlanRequest:
    """Everything a plan is made from. `history` is of the watched files, newest first."""

    target: Target
    snapshot: RepoSnapshot
    history: tuple[Commit, ...] = ()
    archive: Archive = field(default_factory=Archive)
    run_id: str | None = None


@dataclass(frozen=True)
class Planned:
    """A plan and how it came about, for the records and the UI."""

    plan: Plan
    how: How
    reason: Reason | None
    """Why rules made it; None where Claude did."""
    detail: str
    """What stood in the way, in more words; empty where nothing did."""
    problems: tuple[str, ...]
    """What was wrong with Claude's first answer, if it was invalid."""
    attempts: tuple[str, ...]
    """Ids of the ledger's attempts that led to it."""
    context: ChosenContext
    """What Claude was shown of the target, and what was left out."""

    @property
    def attempt_id(self) -> str | None:
        """Return the attempt whose answer is the plan; None where Claude did not make it."""
        return self.attempts[-1] if self.how in (How.CLAUDE, How.REPAIRED) else None

    @property
    def words(self) -> str:
        """Return how the plan came about, on one line."""
        if self.how is not How.RULES:
            return f"{self.how.value} ({self.plan.planner})"
        reason = self.reason.value if self.reason else ""
        return f"rules, since Claude did not answer: {reason} ({self.detail})"


@dataclass(frozen=True)
class _Unusable:
    """Why an answer gave no plan; `text` is what came, where something did."""

    reason: Reason
    problems: tuple[str, ...]
    text: str = ""

    @property
    def detail(self) -> str:
        return one_line("; ".join(self.problems), MAX_PROBLEM)


@dataclass(frozen=True)
class _Draft:
    """A target on its way to a plan."""

    request: PlanRequest
    context: ChosenContext
    call: Call[PlanForm]

    @property
    def key(self) -> str:
        return key_of(self.call)


Reply = Answer[PlanForm] | UnansweredError


class ClaudePlanner:
    """Plans targets; `fallback` makes the plan where Claude gives none."""

    def __init__(
        self,
        claude: Claude,
        fallback: Rules = make_plan,
        *,
        max_tokens: int = MAX_TOKENS,
        budget: int = BUDGET,
    ) -> None:
        self._claude = claude
        self._fallback = fallback
        self._max_tokens = max_tokens
        self._budget = budget

    def plan(
        self,
        target: Target,
        snapshot: RepoSnapshot,
        history: Sequence[Commit] = (),
        archive: Archive | None = None,
        *,
        run_id: str | None = None,
    ) -> Planned:
        """Plan one target now; asks Claude at most twice."""
        draft = self._draft(
            PlanRequest(target, snapshot, tuple(history), archive or Archive(), run_id)
        )
        return self._planned(draft, self._ask(draft.call))

    def plan_together(
        self,
        request: PlanRequest,
        beside: Sequence[PlanRequest],
        questions: Questions,
        *,
        may_wait: bool = False,
    ) -> Planned:
        """Plan one target by a question about it and those of `beside` not yet asked about.

        Whoever plans one of these next finds the question, and its answer in the records. Where it
        brings nothing for this target alone, the target is asked about by itself. With `may_wait`
        the call is made at the price of a batch; repairs never wait.
        """
        draft = self._draft(request)
        drafts = {each.key: each for each in (draft, *map(self._draft, beside))}
        text = questions.question(
            draft.key,
            tuple(drafts),
            lambda keys: _question([drafts[key] for key in keys[:MOST_TARGETS]]).kept,
        )
        asked = SharedQuestion.model_validate_json(text)
        if not asked.is_shared:
            return self._planned(draft, self._ask(draft.call, may_wait))
        call = joint_call(asked, self._max_tokens, request.run_id)
        first = part_of(self._ask(call, may_wait), request.target.name)
        if not isinstance(first, UnansweredError) or first.reason not in ASKED_ALONE_AFTER:
            return self._planned(draft, first)
        alone = self._planned(draft, self._ask(draft.call, may_wait))
        return replace(alone, attempts=(*_attempts(first), *alone.attempts))

    def _draft(self, request: PlanRequest) -> _Draft:
        context = choose(
            request.target, request.snapshot, request.history, request.archive, self._budget
        )
        call = Call(
            purpose=Purpose.PLAN,
            targets=(request.target.name,),
            system=planner_system(),
            prompt=question(
                context.blocks, f"Now give the plan for the target `{request.target.name}`."
            ),
            form=PlanForm,
            max_tokens=self._max_tokens,
            run_id=request.run_id,
        )
        return _Draft(request, context, call)

    def _planned(self, draft: _Draft, first: Reply) -> Planned:
        attempts = _attempts(first)
        found = _read(draft, first)
        if isinstance(found, Plan):
            return Planned(found, How.CLAUDE, None, "", (), attempts, draft.context)
        if found.reason is not Reason.INVALID:
            return self._by_rules(draft, found, (), attempts)
        problems = found.problems
        second = self._ask(_repair(draft, found))
        attempts += _attempts(second)
        found = _read(draft, second, ", repaired")
        if isinstance(found, Plan):
            return Planned(found, How.REPAIRED, None, "", problems, attempts, draft.context)
        return self._by_rules(draft, found, problems, attempts)

    def _by_rules(
        self,
        draft: _Draft,
        why: _Unusable,
        problems: tuple[str, ...],
        attempts: tuple[str, ...],
    ) -> Planned:
        snapshot = draft.request.snapshot
        plan = self._fallback(draft.request.target, snapshot.commit, tuple(snapshot.files))
        plan = because(plan, why.reason.value)
        return Planned(plan, How.RULES, why.reason, why.detail, problems, attempts, draft.context)

    def _ask(self, call: Call[Form], may_wait: bool = False) -> Answer[Form] | UnansweredError:
        if may_wait:
            (answer,) = self._claude.ask_all([call])
            return answer
        try:
            return self._claude.ask(call)
        except UnansweredError as error:
            return error


def _question(drafts: Sequence[_Draft]) -> SharedQuestion:
    if len(drafts) > 1:
        return joint_question([(d.request.target.name, d.context.blocks) for d in drafts])
    (draft,) = drafts
    name = draft.request.target.name
    return SharedQuestion(subjects=(name,), targets=(name,), prompt=draft.call.prompt)


def _read(draft: _Draft, reply: Reply, mark: str = "") -> Plan | _Unusable:
    if isinstance(reply, UnansweredError):
        return _Unusable(reply.reason, (reply.detail,), reply.text)
    request = draft.request
    try:
        return plan_of(reply.value, request.target, request.snapshot, f"{reply.model}{mark}")
    except InvalidPlanError as error:
        return _Unusable(Reason.INVALID, error.problems, reply.text)


def _repair(draft: _Draft, found: _Unusable) -> Call[PlanForm]:
    """Return the same question with the invalid answer and the validator's words."""
    words = "\n".join(one_line(text, MAX_PROBLEM) for text in found.problems[:MAX_PROBLEMS])
    blocks = (
        *draft.context.blocks,
        Block("ANSWER", "json", untrusted(found.text, MAX_ANSWER)),
        Block("PROBLEMS", "", untrusted(words)),
    )
    request = (
        "The answer under ANSWER is no valid plan, for each of the reasons under PROBLEMS. Mend "
        "all of them, keep what was right, and give the whole plan for the target "
        f"`{draft.request.target.name}` again."
    )
    return replace(draft.call, purpose=Purpose.REPAIR, prompt=question(blocks, request), round=2)


def _attempts(reply: Reply) -> tuple[str, ...]:
    return (reply.attempt_id,) if reply.attempt_id else ()
