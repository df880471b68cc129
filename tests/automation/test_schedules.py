"""The nightly run."""

from datetime import datetime

from dagster import DefaultScheduleStatus, build_schedule_context, instance_for_test

from rocm_pipeline.automation.schedules import nightly
from tests.fakes.pipeline import FakeSources


def test_every_target_is_run_once_a_night() -> None:
    with instance_for_test() as instance:

        def tick(day: int) -> list[tuple[str | None, str | None]]:
            context = build_schedule_context(
                instance=instance,
                scheduled_execution_time=datetime(2026, 3, day, 2),
                resources={"sources": FakeSources()},
            )
            found = nightly(context)
            assert isinstance(found, list)
            return [(run.partition_key, run.run_key) for run in found]

        first = tick(1)
        assert first == [
            ("row_softmax", "2026-03-01/row_softmax"),
            ("flash_attention", "2026-03-01/flash_attention"),
        ]
        assert tick(1) == first
        assert not set(tick(2)) & set(first)
        assert set(instance.get_dynamic_partitions("target")) == {"row_softmax", "flash_attention"}


def test_it_is_at_two_in_the_morning_and_on() -> None:
    assert nightly.cron_schedule == "0 2 * * *"
    assert nightly.default_status is DefaultScheduleStatus.RUNNING
