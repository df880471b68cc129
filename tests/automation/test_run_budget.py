"""What one command, night or new commit may spend, however many Dagster runs it makes."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from rocm_pipeline.automation.commits import Cursor
from rocm_pipeline.automation.jobs import MAIN_JOB
from rocm_pipeline.automation.nights import night_tags
from rocm_pipeline.automation.running import definitions_of
from rocm_pipeline.errors import UserError
from rocm_pipeline.planning.claude.call import Reason, UnansweredError
from rocm_pipeline.resources.asking import RUN_TAG
from rocm_pipeline.resources.instance import prepare_instance
from tests.automation.conftest import LOCATION, Command
from tests.planning.claude.desk import GOOD, Desk, call, desk, with_budget
from tests.standins.claude import Says

TARGETS = ("row_softmax", "flash_attention")
ENOUGH_FOR_ONE: dict[str, float] = {"tokens": 4500}


class Asker:
    """Asks Claude for plans, and lets nothing else be made of them."""

    def __init__(self, at: Desk) -> None:
        self.at = at
        self.came: list[Reason | None] = []
        """Of each question; None: an answer."""
        self.run_ids: list[str | None] = []

    def ask(self, question: str, run_id: str | None) -> None:
        self.run_ids.append(run_id)
        prompt = f"{question}, question {len(self.came)}"
        try:
            self.at.claude.ask(call(prompt=prompt, run_id=run_id, targets=("any",)))
            self.came.append(None)
        except UnansweredError as unanswered:
            self.came.append(unanswered.reason)
        raise UserError("this is enough", where=question, fix="Ask again.")


@pytest.fixture
def asker(command: Command, tmp_path: Path) -> Iterator[Asker]:
    with desk(tmp_path / "desk", Says(GOOD), with_budget(run=ENOUGH_FOR_ONE)) as at:
        made = Asker(at)
        command.pipeline.workshop.ask = made.ask
        yield made


def test_the_dagster_runs_of_a_command_spend_one_budget_and_one_by_hand_its_own(
    command: Command, asker: Asker
) -> None:
    made = [one.run_ids for one in command.run(*TARGETS)]
    assert [len(run_ids) for run_ids in made] == [1, 1]
    assert asker.came == [None, Reason.OVER_BUDGET]
    assert len(set(asker.run_ids)) == 1
    with prepare_instance(command.home) as instance:
        found = instance.get_runs(dg.RunsFilter(tags={RUN_TAG: str(asker.at.row.run_id)}))
        assert {run.run_id for run in found} == {one for run_ids in made for one in run_ids}
        job = definitions_of(LOCATION).resolve_job_def(MAIN_JOB)
        by_hand = job.execute_in_process(
            instance=instance,
            partition_key="row_softmax",
            asset_selection=[dg.AssetKey(name) for name in ("target", "repo_snapshot", "plan")],
            raise_on_error=False,
        )
    command.run(TARGETS[0])
    assert asker.came[2:] == [None, None]
    assert asker.run_ids[2] == by_hand.run_id
    assert len(set(asker.run_ids)) == 3


def test_each_night_and_each_tick_of_new_commits_is_a_run() -> None:
    nights = [night_tags(f"2026-03-0{day}T02:00")[RUN_TAG] for day in (1, 1, 2)]
    assert nights[0] == nights[1] != nights[2]
    seen = Cursor("c0ffee", 1)
    assert seen.moved_to("c0ffee").run_id != seen.run_id != Cursor("beef", 1).run_id
