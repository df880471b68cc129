"""The nightly run."""

from datetime import datetime

import pytest
from dagster import DefaultScheduleStatus, build_schedule_context, instance_for_test

from rocm_pipeline.automation.schedules import NIGHTLY_VARIABLE, nightly, nightly_cron
from rocm_pipeline.definitions import defs
from rocm_pipeline.errors import UserError
from rocm_pipeline.resources.asking import asking_of
from tests.fakes.pipeline import FakeSources

REPOSITORY = defs.get_repository_def()


def test_every_target_is_run_once_a_night() -> None:
    with instance_for_test() as instance:

        def tick(day: int) -> list[tuple[str | None, str | None]]:
            context = build_schedule_context(
                instance=instance,
                scheduled_execution_time=datetime(2026, 3, day, 2),
                resources={"sources": FakeSources()},
                repository_def=REPOSITORY,
            )
            found = nightly(context)
            assert isinstance(found, list)
            return [(run.partition_key, run.run_key) for run in found]

        first = tick(1)
        assert first == [
            ("row_softmax", "2026-03-01T02:00/row_softmax"),
            ("flash_attention", "2026-03-01T02:00/flash_attention"),
        ]
        assert tick(1) == first
        assert not set(tick(2)) & set(first)
        assert set(instance.get_dynamic_partitions("target")) == {"row_softmax", "flash_attention"}


def test_the_runs_of_a_night_may_wait_and_are_planned_together() -> None:
    with instance_for_test() as instance:
        context = build_schedule_context(
            instance=instance,
            scheduled_execution_time=datetime(2026, 3, 1, 2),
            resources={"sources": FakeSources()},
            repository_def=REPOSITORY,
        )
        runs = nightly(context)
    assert isinstance(runs, list)
    for run in runs:
        asking = asking_of("run-1", run.tags)
        assert asking.may_wait
        assert asking.together == ("row_softmax", "flash_attention")
        assert asking.reviewed_together == ()


def test_it_is_at_two_in_the_morning_and_on() -> None:
    assert nightly_cron({}) == "0 2 * * *"
    assert nightly.default_status is DefaultScheduleStatus.RUNNING


def test_its_time_may_be_set() -> None:
    assert nightly_cron({NIGHTLY_VARIABLE: "30 23 * * 1-5"}) == "30 23 * * 1-5"


@pytest.mark.parametrize("words", ["at night", "61 2 * * *", "0 2 * *"])
def test_a_time_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(UserError, match=NIGHTLY_VARIABLE):
        nightly_cron({NIGHTLY_VARIABLE: words})
