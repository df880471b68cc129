"""The coordinator over the real workshop: the example of its page runs, with the embedded agent."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rocm_pipeline.agents import outcome
from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet.hosts import FLEET_VARIABLE
from rocm_pipeline.home import HOME_VARIABLE, REPOSITORY_VARIABLE, ROUNDS_VARIABLE, Home
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.planning import AIDevCoordinator
from rocm_pipeline.planning.claude.call import Reason, UnansweredError
from rocm_pipeline.planning.plan import Role, Work
from rocm_pipeline.planning.review import Verdict
from rocm_pipeline.records.records import Records
from rocm_pipeline.resources.sources import HomeSources
from rocm_pipeline.resources.task_work import HomeTaskWork, open_work
from tests.conftest import home_with_builds
from tests.fakes.pipeline import FakeIntegration, FakeSources, FakeWorkshop
from tests.planning.claude.desk import GOOD, call, desk, with_budget
from tests.scale import only_long
from tests.standins.claude import Says

PAGE = Path(__file__).parents[2] / "docs" / "coordinator.md"


@pytest.fixture(scope="module")
def home(builds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home for all: what the first test had made is answered from its records."""
    folder = tmp_path_factory.mktemp("coordinator")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv(HOME_VARIABLE, str(home_with_builds(folder / "home", builds)))
        patch.setenv(ROUNDS_VARIABLE, "1")
        for name in (REPOSITORY_VARIABLE, FLEET_VARIABLE, "OLLAMA_HOST", "ANTHROPIC_API_KEY"):
            patch.delenv(name, raising=False)
        yield Home.from_environment()


@only_long
def test_the_example_of_the_page_runs(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(code, {})  # noqa: S102 - it is our own page
    said = capsys.readouterr().out
    for kind in ("TestSuite", "KernelOutcome", "TorchOp", "Analysis", "Document"):
        assert f" {kind}\n" in said
    assert re.search(r"^(approve|changes|reject) by ", said, re.MULTILINE)
    records = Records.open(home.records_url, str(home.store))
    try:
        assert records.best_candidates("row_softmax"), "the assets will find these kernels"
        assert records.ledger.totals(target="row_softmax").agents.attempts >= 6
    finally:
        records.close()


def test_kernels_are_judged_with_the_cases_of_the_tester_and_reviewed(home: Home) -> None:
    with open_work(home) as work, AIDevCoordinator(work) as coordinator:
        plan = coordinator.plan("row_softmax")
        (test, *_), (kernel, *_) = plan.tasks_of(Work.TESTING), plan.tasks_of(Work.KERNEL)
        suite = coordinator.collect_results(coordinator.assign_task(test, Role.TESTER))
        made = coordinator.collect_results(coordinator.assign_task(kernel, Role.KERNEL_DEV))
        assert isinstance(suite, outcome.TestSuite)
        assert isinstance(made, outcome.KernelOutcome)
        evidence = made.rounds[0].evidence
        assert evidence is not None
        assert evidence.status is Status.PASSED
        judged = {record.case.name for record in evidence.cases}
        assert suite.cases
        assert {case.name for case in suite.cases} <= judged
        review = coordinator.review(plan, "cross")
        assert review.verdict is Verdict.APPROVE
        assert evidence.id in review.evidence_ids
        with pytest.raises(UserError, match="needs the result of the integration task"):
            coordinator.review(plan)


def test_the_plan_that_is_shown_is_the_one_that_is_gone_by(home: Home) -> None:
    sources = HomeSources(home)
    shown = sources.plan_without_claude(sources.target("vae_decoder_block"))
    with open_work(home) as work, AIDevCoordinator(work) as coordinator:
        assert coordinator.plan("vae_decoder_block").id == shown.id
    assert sources.plan_without_claude(sources.target("vae_decoder_block")) == shown


def test_a_review_without_a_kernel_says_what_is_missing(home: Home) -> None:
    with open_work(home) as work, AIDevCoordinator(work) as coordinator:
        plan = coordinator.plan("row_softmax")
        with pytest.raises(UserError, match="needs the result of a kernel task"):
            coordinator.review(plan, "cross")
        with pytest.raises(UserError, match="there is no target 'nonsense'"):
            coordinator.plan("nonsense")


def test_all_that_one_opening_asks_spends_the_budget_of_one_run(tmp_path: Path) -> None:
    came: list[Reason | None] = []
    with desk(tmp_path, Says(GOOD), with_budget(run={"tokens": 4500})) as at:

        def ask(question: str, run_id: str | None) -> None:
            try:
                at.claude.ask(call(prompt=f"{question}, {len(came)}", run_id=run_id))
                came.append(None)
            except UnansweredError as unanswered:
                came.append(unanswered.reason)

        def work_through() -> None:
            work = HomeTaskWork(FakeWorkshop(ask=ask), FakeIntegration(), FakeSources())
            with AIDevCoordinator(work) as coordinator:
                plan = coordinator.plan("row_softmax")
                for task in plan.tasks:
                    coordinator.collect_results(coordinator.assign_task(task, task.role))
                coordinator.review(plan)

        work_through()
        once = list(came)
        work_through()
        assert once[0] is None
        assert set(once[1:]) == {Reason.OVER_BUDGET}, "kernel tasks and the review"
        assert came == once * 2
        assert len({row.run_id for row in at.rows}) == len(at.rows) == 2
