"""Targets and the repository of a home."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.home import REPOSITORY_VARIABLE, Home
from rocm_pipeline.resources.sources import HomeHistory, HomeSources


@pytest.fixture(autouse=True)
def _built_in_example(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.delenv(REPOSITORY_VARIABLE, raising=False)


def test_the_example_repository_is_made_once_for_all_who_ask_at_once(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    sources = HomeSources(home)
    target = sources.target("row_softmax")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(sources.snapshot, [target] * 4))
    assert all(snapshot == found[0] for snapshot in found)
    assert found[0].files
    assert found[0].commit == HomeHistory(home).head()


def test_a_home_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="home cannot be written"):
        HomeHistory(Home(tmp_path / "file" / "home")).head()


def test_a_repository_that_is_none_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REPOSITORY_VARIABLE, str(tmp_path))
    with pytest.raises(UserError, match="is no git repository"):
        HomeHistory(Home(tmp_path / "home")).head()
