"""Measuring the reviewers of a home: what is configured decides who is measured."""

from pathlib import Path

import pytest

from rocm_pipeline.fleet.hosts import FLEET_VARIABLE
from rocm_pipeline.home import Home
from rocm_pipeline.planning.claude.settings import KEY_VARIABLE, URL_VARIABLE
from rocm_pipeline.planning.planted.measure import latest
from rocm_pipeline.records.records import Records
from rocm_pipeline.reporting.page import INDEX
from rocm_pipeline.resources.reviewers import measure_all
from tests.standins.claude import KEY, Refuses, serving


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in (FLEET_VARIABLE, "OLLAMA_HOST", KEY_VARIABLE, URL_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    made = Home(tmp_path / "home")
    made.create()
    return made


def test_without_fleet_and_key_rules_are_measured_and_kept(home: Home) -> None:
    home.reports.mkdir()
    found = measure_all(home)
    assert [(m.reviewer, m.kind) for m in found] == [("rules", "cross"), ("rules", "final")]
    records = Records.open(home.records_url, str(home.store))
    assert latest(records) == found
    records.close()
    assert "4 of 18" in (home.reports / INDEX).read_text()


def test_with_a_key_claude_is_measured_and_an_answer_that_never_came_counts_neither_way(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(lambda _: Refuses()) as server:
        monkeypatch.setenv(KEY_VARIABLE, KEY)
        monkeypatch.setenv(URL_VARIABLE, server.url)
        found = measure_all(home)
    assert len(server.requests) == 4
    (claude,) = (m for m in found if m.reviewer.startswith("claude"))
    assert (claude.kind, claude.caught, claude.false_alarms) == ("final", (0, 0), (0, 0))
    assert claude.unanswered == 22
