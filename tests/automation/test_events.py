"""The words that a failure is told in."""

import shutil
from pathlib import Path
from typing import NoReturn

import dagster as dg
import pytest
from dagster._core.events import JobFailureData
from dagster_shared.error import SerializableErrorInfo

from rocm_pipeline.automation.events import is_interrupt, reason_of
from rocm_pipeline.automation.full_disk import full_disk_in_plain_words, tells_of_full_disk
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home


class OwnError(UserError):
    """As the project's own subclasses are."""


OwnError.__module__ = "rocm_pipeline.somewhere"


def full_store() -> NoReturn:
    try:
        raise OSError(28, "No space left on device")
    except OSError as error:
        raise OwnError("cannot be written", where="/store", fix="Free some space.") from error


def plain() -> NoReturn:
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError("outer") from error


def interrupted() -> NoReturn:
    raise KeyboardInterrupt


def failure_of(raising: object) -> dg.DagsterEvent:
    @dg.op(name="fails")
    def fails() -> None:
        assert callable(raising)
        raising()

    @dg.job
    def job() -> None:
        fails()

    result = job.execute_in_process(raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    return failure


def test_an_error_of_our_own_is_told_and_not_what_it_was_raised_from() -> None:
    assert reason_of(failure_of(full_store)) == "/store: cannot be written. Free some space."


def test_of_another_error_the_innermost_cause_is_told() -> None:
    assert reason_of(failure_of(plain)) == "'inner'"


def test_a_run_that_failed_by_its_processes_tells_the_first_one_s_error() -> None:
    text = (
        "dagster._core.errors.DagsterSubprocessError: During multiprocess execution errors "
        "occurred in child processes:\nIn process 7: sqlite3.OperationalError: database or disk "
        "is full\n\nStack Trace:\n  File x\n"
    )
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.RUN_FAILURE.value,
        job_name="job",
        event_specific_data=JobFailureData(SerializableErrorInfo(text, [], None)),
    )
    assert reason_of(event) == "database or disk is full"


def test_a_step_that_was_told_to_stop_is_no_failure() -> None:
    assert is_interrupt(failure_of(interrupted))
    assert not is_interrupt(failure_of(plain))


def test_a_full_disk_is_one_line_wherever_it_shows(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with pytest.raises(UserError, match="the disk is full"), full_disk_in_plain_words(home):
        full_store()
    with pytest.raises(ValueError, match="outer"), full_disk_in_plain_words(home):
        plain()


def test_a_vague_word_of_the_database_counts_only_when_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, usage = Home(tmp_path), shutil.disk_usage(tmp_path)

    def full(_: object) -> object:
        return usage._replace(free=0)

    assert not tells_of_full_disk(home, "(sqlite3.OperationalError) disk I/O error")
    monkeypatch.setattr(shutil, "disk_usage", full)
    assert tells_of_full_disk(home, "(sqlite3.OperationalError) disk I/O error")
    assert not tells_of_full_disk(home, "some other error")
