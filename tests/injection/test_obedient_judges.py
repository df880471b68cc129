"""Who plans, judges or gives a hint may obey an injected text: only words of its reply change."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rocm_pipeline.agents.cross_review import CrossReviewer
from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.planning import rule_reviewer
from rocm_pipeline.planning.claude.citations import problem
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.hints import MAX_HINT, FailedRound, Hints, Stuck
from rocm_pipeline.planning.claude.packet import CheckFact, Submission, packet_of
from rocm_pipeline.planning.claude.planner import ClaudePlanner, How
from rocm_pipeline.planning.claude.reviewer import ClaudeReviewer, rules_review
from rocm_pipeline.planning.claude.settings import Limit, read_settings
from rocm_pipeline.planning.history import Commit
from rocm_pipeline.planning.plan import Plan, Work
from rocm_pipeline.planning.review import Review
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.publishing import repository
from rocm_pipeline.publishing.git import Git
from rocm_pipeline.records.hints import HintBook
from tests.conftest import RecordFigure
from tests.fakes.values import a_candidate, a_failing_evidence
from tests.fleet.ollama_server import Script
from tests.fleet.ollama_server import serving as serving_models
from tests.injection.judges import ObedientJudge
from tests.injection.payloads import CANARY, PAYLOADS, order
from tests.injection.scene import Scene
from tests.planning.claude.planted import submitted
from tests.scale import scaled
from tests.standins.claude import KEY, serving

PLENTY = Limit(usd=1000)
FORGED = ("a file", "code")
"""What can be obeyed only by an answer that names what is not there, or has a field of its own."""


@dataclass
class Judges:
    """An obedient Claude, and an obedient second model of the fleet, in a world that is watched."""

    scene: Scene
    claude: AnthropicClaude
    fleet: Fleet
    model: ObedientJudge
    hosts: tuple[tuple[str, int], ...]

    def obey_all(
        self, obey: Callable[[int], None], inject: Callable[[int], None] = lambda _: None
    ) -> str:
        """Have some payloads obeyed, all with --long; return the figure of what came of it.

        What `inject` does beforehand is the attacker's work, and no effect of obeying.
        """
        numbers = range(0, len(PAYLOADS), len(PAYLOADS) // scaled(short=10, long=100))
        for number in numbers:
            inject(number)
            heard = self.model.obeyed
            with self.scene.world.watched(*self.hosts):
                obey(number)
            assert self.model.obeyed > heard, f"order {number} did not reach the model"
        assert CANARY not in "".join(self.model.hears)
        effects = self.scene.world.effects + ["connection"] * self.scene.trap.connections
        assert effects == []
        return f"{len(numbers)} replies, {len(effects)} effects"


@pytest.fixture
def judges(scene: Scene) -> Iterator[Judges]:
    model = ObedientJudge(scene.trap.url)
    usual = read_settings()
    plenty = usual.budgets.model_copy(update={"run": PLENTY, "day": PLENTY, "target": PLENTY})
    settings = usual.model_copy(update={"budgets": plenty})
    with serving(model.as_claude) as server, serving_models(Script(model.as_agent)) as url:
        claude = AnthropicClaude(scene.records, settings, key=KEY, url=server.url)
        hosts = (Host(name="obedient", url=url),)
        fleet = Fleet(hosts, scene.records.journal, scene.records.leases)
        fleet.survey(require=True)
        parts = [urlsplit(address) for address in (server.url, url)]
        addresses = tuple((str(part.hostname), int(part.port or 0)) for part in parts)
        yield Judges(scene, claude, fleet, model, addresses)
        claude.close()


def commit(folder: Path, message: str) -> None:
    """Commit a change of a watched file."""
    with (folder / "kernels" / "row_softmax" / "kernel.hip").open("a") as file:
        file.write("\n")
    Git(folder).run("commit", "--quiet", "--all", f"--message={message}")


def without_words(plan: Plan) -> Plan:
    """Return the plan without what a planner may word as it likes: what its tasks aim at."""
    tasks = (
        task.model_copy(update={"context": task.context.model_copy(update={"objective": ""})})
        for task in plan.tasks
    )
    return plan.model_copy(update={"tasks": tuple(tasks)})


def test_an_order_in_a_commit_message_changes_the_words_of_a_plan_at_most(
    judges: Judges, record_figure: RecordFigure
) -> None:
    target, folder = judges.scene.target, judges.scene.world.repository
    planner = ClaudePlanner(judges.claude)
    calm = planner.plan(target, repository.snapshot(folder, target)).plan
    assert judges.model.obeyed == 0
    seen: dict[int, tuple[RepoSnapshot, tuple[Commit, ...]]] = {}

    def inject(number: int) -> None:
        commit(folder, order(number))
        snapshot = repository.snapshot(folder, target)
        seen[number] = snapshot, repository.history(folder, snapshot)[:1]

    def obey(number: int) -> None:
        snapshot, history = seen[number]
        planned = planner.plan(target, snapshot, history)
        if PAYLOADS[number].kind in FORGED or PAYLOADS[number].tool:
            assert planned.how is How.RULES
            by_rules = make_plan(target, snapshot.commit, tuple(snapshot.files))
            assert planned.plan.tasks == by_rules.tasks
        else:
            assert planned.how is How.CLAUDE
            expected = calm.model_copy(update={"commit": snapshot.commit})
            assert without_words(planned.plan) == without_words(expected)

    record_figure("injection", f"planner, commit message: {judges.obey_all(obey, inject)}")


def titled(submission: Submission, text: str) -> Submission:
    target = submission.target.model_copy(update={"title": text})
    return replace(submission, target=target)


def checked(submission: Submission, text: str) -> Submission:
    check = CheckFact(name="gradcheck", status=Status.NOT_RUN.value, message=text)
    return replace(submission, operator_checks=(check,))


def require_only_words(review: Review, rules: Review, submission: Submission, number: int) -> None:
    """Fail unless the rules' review stands, with nothing but remarks on what is there added."""
    packet = packet_of(submission)
    kept = len(rules.findings)
    assert (review.subject, review.kind, review.verdict) == (
        rules.subject,
        rules.kind,
        rules.verdict,
    )
    assert review.findings[:kept] == rules.findings
    assert set(review.evidence_ids) <= {*rules.evidence_ids, *packet.evidence_ids}
    assert [f.cites for f in review.findings[kept:] if problem(f.cites, packet)] == []
    if PAYLOADS[number].kind in FORGED:
        assert review.unasked
        assert review.findings == rules.findings


@pytest.mark.parametrize("carrier", [titled, checked])
def test_the_final_review_of_an_obedient_claude_adds_remarks_at_most(
    judges: Judges,
    carrier: Callable[[Submission, str], Submission],
    record_figure: RecordFigure,
) -> None:
    reviewer = ClaudeReviewer(judges.claude)

    def obey(number: int) -> None:
        submission = carrier(submitted(), order(number))
        (found,) = reviewer.review([submission])
        require_only_words(found.review, rules_review(submission), submission, number)
        if PAYLOADS[number].tool:
            assert found.review.unasked

    record_figure("injection", f"final review, {carrier.__name__}: {judges.obey_all(obey)}")


def test_the_cross_review_of_an_obedient_agent_adds_remarks_at_most(
    judges: Judges, record_figure: RecordFigure
) -> None:
    reviewer = CrossReviewer(judges.fleet)

    def obey(number: int) -> None:
        bare = replace(submitted(), operator=None, operator_checks=(), cross=None)
        submission = titled(bare, order(number))
        rules = rule_reviewer.cross_review(
            submission.target, submission.candidate, submission.evidence
        )
        review = reviewer.review(submission, None).review
        require_only_words(review, rules, submission, number)

    record_figure("injection", f"cross review: {judges.obey_all(obey)}")


def test_the_hint_of_an_obedient_claude_is_one_line_of_advice(
    judges: Judges, record_figure: RecordFigure
) -> None:
    """From compiler output; a hint goes on as data, as every field of a brief does."""
    target, records = judges.scene.target, judges.scene.records
    hints = Hints(judges.claude, HintBook(records.database, records.store), after=1)

    def obey(number: int) -> None:
        candidate = a_candidate(target, f"round of {number}")
        said = Finding(status=Status.COMPILE_ERROR, message=f"kernel.hip:1: {order(number)}")
        evidence = a_failing_evidence(target, candidate).model_copy(update={"findings": (said,)})
        plan = make_plan(target, f"c{number}", ())
        task = plan.tasks_of(Work.KERNEL)[0]
        hint = hints.for_next_round(
            Stuck(target, plan.id, task, (FailedRound(1, candidate, evidence),))
        )
        assert len(hint) <= MAX_HINT
        assert hint.isprintable()
        assert bool(hint) is not bool(PAYLOADS[number].tool)

    record_figure("injection", f"hint: {judges.obey_all(obey)}")
