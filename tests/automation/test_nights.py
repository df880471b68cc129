"""The two halves of a night: every target up to its review, then all reviews together."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status
from dagster import build_schedule_context, build_sensor_context, instance_for_test
from dagster._core.test_utils import create_run_for_test

from rocm_pipeline.automation import schedules
from rocm_pipeline.automation.jobs import MAIN_JOB
from rocm_pipeline.automation.nights import (
    NIGHT_TAG,
    before_review,
    from_review_on,
    nightly_reviews,
)
from rocm_pipeline.automation.running import definitions_of
from rocm_pipeline.definitions import defs
from rocm_pipeline.resources.asking import (
    NIGHTLY,
    RUN_TAG,
    TRIGGER_TAG,
    asking_of,
    together,
)
from rocm_pipeline.resources.instance import prepare_instance
from tests.automation.conftest import LOCATION, Command

REPOSITORY = defs.get_repository_def()
NAMES = ("row_softmax", "flash_attention", "vae_decoder_block")
NIGHT = "2026-03-01T02:00"
LATE = {"final_review", "pull_request", "report"}


class Night:
    """Runs of nights as Dagster keeps them, and looks of the sensor at them."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance

    def ran(self, name: str, status: Status, night: str = NIGHT, **tags: str) -> None:
        create_run_for_test(
            self.instance,
            job_name=MAIN_JOB,
            status=status,
            tags={
                "dagster/partition": name,
                TRIGGER_TAG: NIGHTLY,
                NIGHT_TAG: night,
                **together(NAMES),
                **tags,
            },
        )

    def look(self, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
        context = build_sensor_context(
            instance=self.instance, cursor=cursor, repository_def=REPOSITORY
        )
        found = nightly_reviews(context)
        assert isinstance(found, dg.SensorResult | dg.SkipReason)
        return found

    def reviewed(self) -> list[str | None]:
        found = self.look()
        if isinstance(found, dg.SkipReason):
            return []
        return [run.partition_key for run in found.run_requests or []]


@pytest.fixture
def night() -> Iterator[Night]:
    with instance_for_test() as instance:
        yield Night(instance)


def stages(keys: Sequence[dg.AssetKey]) -> set[str]:
    return {key.to_user_string() for key in keys}


def test_the_halves_are_all_stages_and_share_none() -> None:
    first, second = stages(before_review(REPOSITORY)), stages(from_review_on(REPOSITORY))
    assert second == LATE
    assert not first & second
    assert {"plan", "kernel", "documentation", "cross_review"} < first
    job = defs.resolve_job_def(MAIN_JOB)
    assert first | second == stages(list(job.asset_layer.executable_asset_keys))


def test_reviews_begin_when_the_last_target_has_come_up_to_its_own(night: Night) -> None:
    assert isinstance(night.look(), dg.SkipReason)
    night.ran(NAMES[0], Status.SUCCESS)
    night.ran(NAMES[1], Status.STARTED)
    reason = night.look()
    assert isinstance(reason, dg.SkipReason)
    assert reason.skip_message == f"not ready for review: {NAMES[1]}, {NAMES[2]}"
    night.ran(NAMES[1], Status.SUCCESS)
    night.ran(NAMES[2], Status.SUCCESS)
    found = night.look()
    assert isinstance(found, dg.SensorResult)
    runs = list(found.run_requests or [])
    assert [run.run_key for run in runs] == [f"{NIGHT}/{name}/review" for name in NAMES]
    for run in runs:
        asking = asking_of("run-1", run.tags)
        assert (asking.may_wait, asking.reviewed_together) == (True, NAMES)
        assert stages(run.asset_selection or []) == LATE
    assert found.cursor == NIGHT
    assert isinstance(night.look(found.cursor), dg.SkipReason)


def test_a_target_that_failed_is_left_out_and_one_that_is_tried_again_is_waited_for(
    night: Night,
) -> None:
    night.ran(NAMES[0], Status.FAILURE)
    night.ran(NAMES[1], Status.SUCCESS)
    night.ran(NAMES[2], Status.FAILURE, **{"dagster/will_retry": "true"})
    assert night.reviewed() == []
    night.ran(NAMES[2], Status.SUCCESS)
    assert night.reviewed() == [NAMES[1], NAMES[2]]


def test_only_the_newest_night_counts(night: Night) -> None:
    for name in NAMES:
        night.ran(name, Status.SUCCESS)
    night.ran(NAMES[0], Status.STARTED, night="2026-03-02T02:00")
    assert night.reviewed() == []


def requests(command: Command, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    """Return what the schedule asks for at two in the morning."""
    context = build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime(2026, 3, 1, 2),
        resources={"sources": command.pipeline.sources},
        repository_def=definitions_of(LOCATION).get_repository_def(),
    )
    found = schedules.nightly(context)
    assert isinstance(found, list)
    return found


def test_without_a_key_a_night_has_one_half(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "has_key", lambda: False)
    with prepare_instance(command.home) as instance:
        for request in requests(command, instance):
            assert request.asset_selection is None
            assert NIGHT_TAG not in request.tags


def test_both_halves_of_a_night_make_every_stage_and_reviews_are_together(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are carried out on fakes, as the daemon would."""
    monkeypatch.setattr(schedules, "has_key", lambda: True)
    definitions = definitions_of(LOCATION)
    workshop = command.pipeline.workshop
    asked: dict[str, str | None] = {}
    workshop.ask = asked.__setitem__
    with prepare_instance(command.home) as instance:

        def carry_out(requested: Sequence[dg.RunRequest]) -> None:
            for request in requested:
                done = definitions.resolve_job_def(MAIN_JOB).execute_in_process(
                    instance=instance,
                    partition_key=request.partition_key,
                    asset_selection=request.asset_selection,
                    tags=dict(request.tags),
                )
                assert done.success

        first = requests(command, instance)
        carry_out(first)
        assert "final" not in workshop.beside
        found = nightly_reviews(
            build_sensor_context(instance=instance, repository_def=definitions.get_repository_def())
        )
        assert isinstance(found, dg.SensorResult)
        second = list(found.run_requests or [])
        carry_out(second)
    (budget,) = {run.tags[RUN_TAG] for run in (*first, *second)}
    assert set(asked.values()) == {budget}
    assert {question.split()[0] for question in asked} == {"plan", "develop", "review"}
    assert workshop.beside["plan"] == [("flash_attention",), ("row_softmax",)]
    assert workshop.beside["final"] == [("flash_attention",), ("row_softmax",)]
    for name in ("row_softmax", "flash_attention"):
        assert json.loads((command.home.reports / f"{name}.json").read_text())
