"""A disk that fills up is told once, however many parts of Dagster meet it."""

import sys
from pathlib import Path

import pytest

from rocm_pipeline.automation.full_disk import full_disk_in_plain_words
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home

FULL = "(sqlite3.OperationalError) database or disk is full"
NOT_KEPT = "Exception while writing logger call to event log: "


def test_what_dagster_prints_of_it_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill() -> None:
        sys.stderr.write(f"{NOT_KEPT}{FULL}\n[SQL: INSERT]\n")
        raise RuntimeError(FULL)

    with (
        pytest.raises(UserError, match="the disk is full"),
        full_disk_in_plain_words(Home(tmp_path)),
    ):
        fill()
    assert capsys.readouterr().err == ""


def test_other_words_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = f"{NOT_KEPT}no such table: event_logs\n", f"a warning: {FULL}\n"
    with full_disk_in_plain_words(Home(tmp_path)):
        for text in words:
            sys.stderr.write(text)
    assert capsys.readouterr().err == "".join(words)
