"""A run for each target that new commits touched."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance, Definitions, SensorResult, SkipReason, build_sensor_context
from hypothesis import given
from hypothesis import strategies as st

from rocm_pipeline.automation import commits as module
from rocm_pipeline.automation.commits import Commit, Cursor, commits, due, new_commits, read_targets
from rocm_pipeline.automation.running import definitions_of
from rocm_pipeline.definitions import defs
from rocm_pipeline.home import REPOSITORY_VARIABLE, Home
from rocm_pipeline.resources.asking import RUN_TAG, asking_of
from rocm_pipeline.resources.instance import prepare_instance
from rocm_pipeline.resources.sources import HomeHistory, HomeSources
from tests.automation.conftest import LOCATION, Command
from tests.fakes.values import a_target
from tests.scale import only_long

SOFTMAX, ATTENTION = a_target("row_softmax"), a_target("flash_attention")
IN_SOFTMAX, IN_ATTENTION = "kernels/row_softmax/a.hip", "kernels/flash_attention/a.hip"


class Repository:
    """A real repository to commit to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("README.md")

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def commit(self, *paths: str) -> str:
        for path in paths:
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("a", encoding="utf-8") as file:
                file.write("line\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository(tmp_path / "repository")
    monkeypatch.setenv(REPOSITORY_VARIABLE, str(made.folder))
    return made


class Tick:
    """One look of the sensor at a time, over a home and an instance of their own."""

    def __init__(self, home: Home, instance: DagsterInstance, definitions: Definitions) -> None:
        self.home = home
        self.definitions = definitions
        self.instance = instance

    def __call__(self, cursor: str | None) -> SensorResult | SkipReason:
        context = build_sensor_context(
            instance=self.instance,
            cursor=cursor,
            definitions=self.definitions,
            resources={
                "home": self.home,
                "sources": HomeSources(self.home),
                "history": HomeHistory(self.home),
            },
        )
        found = commits(context)
        assert isinstance(found, SensorResult | SkipReason)
        return found


@pytest.fixture
def tick(tmp_path: Path) -> Iterator[Tick]:
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield Tick(Home(tmp_path / "home"), instance, defs)


def requested(found: SensorResult | SkipReason) -> dict[str | None, str | None]:
    assert isinstance(found, SensorResult)
    return {run.partition_key: run.run_key for run in found.run_requests or []}


def test_each_target_gets_the_newest_commit_that_touched_it() -> None:
    walked = [
        Commit("1", (IN_SOFTMAX,)),
        Commit("2", (IN_SOFTMAX, IN_ATTENTION)),
        Commit("3", (IN_ATTENTION,)),
        Commit("4", ("README.md",)),
    ]
    found = due(walked, [SOFTMAX, ATTENTION])
    assert {name: commit.sha for name, commit in found.items()} == {
        "row_softmax": "2",
        "flash_attention": "3",
    }


@given(st.lists(st.sampled_from([IN_SOFTMAX, IN_ATTENTION, "README.md", "kernels/other/a"])))
def test_a_target_is_due_exactly_when_some_commit_touched_it(paths: list[str]) -> None:
    walked = [Commit(str(number), (path,)) for number, path in enumerate(paths)]
    found = due(walked, [SOFTMAX, ATTENTION])
    for target, path in ((SOFTMAX, IN_SOFTMAX), (ATTENTION, IN_ATTENTION)):
        touched = [number for number, other in enumerate(paths) if other == path]
        assert (target.name in found) == bool(touched)
        if touched:
            assert found[target.name].sha == str(touched[-1])


def test_the_first_tick_looks_at_head_alone(repository: Repository, tick: Tick) -> None:
    repository.commit(IN_ATTENTION)
    head = repository.commit(IN_SOFTMAX)
    found = tick(None)
    assert requested(found) == {"row_softmax": f"row_softmax@{head}-1"}
    assert isinstance(found, SensorResult)
    assert found.cursor == f"{head} 1"


def test_the_first_commit_of_a_repository_counts_with_all_its_files(
    repository: Repository, tick: Tick
) -> None:
    repository.git("checkout", "--quiet", "--orphan", "fresh")
    repository.commit(IN_SOFTMAX)
    assert set(requested(tick(None))) == {"row_softmax"}


def test_nothing_new_is_skipped_and_an_unwatched_change_only_moves_the_cursor(
    repository: Repository, tick: Tick
) -> None:
    seen = repository.commit(IN_SOFTMAX)
    assert isinstance(tick(seen), SkipReason)
    head = repository.commit("docs/readme.md")
    found = tick(seen)
    assert requested(found) == {}
    assert isinstance(found, SensorResult)
    assert found.cursor == f"{head} 1"


def test_many_commits_at_once_are_one_run_a_target(repository: Repository, tick: Tick) -> None:
    seen = repository.commit("README.md")
    repository.commit(IN_SOFTMAX)
    newest = repository.commit(IN_SOFTMAX)
    repository.commit("README.md")
    for _ in range(2):  # the same tick twice asks for the same run
        assert requested(tick(seen)) == {"row_softmax": f"row_softmax@{newest}-1"}


def test_a_range_too_long_to_walk_is_compared_at_its_ends(
    repository: Repository,
    tick: Tick,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_COMMITS", 2)
    seen = repository.commit("README.md")
    for _ in range(3):
        repository.commit(IN_SOFTMAX)
    head = repository.git("rev-parse", "HEAD")
    assert requested(tick(seen)) == {"row_softmax": f"row_softmax@{head}-1"}


def test_a_merge_counts_with_what_it_brought(repository: Repository, tick: Tick) -> None:
    seen = repository.commit("README.md")
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit(IN_ATTENTION)
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "--message=merge", "side")
    head = repository.git("rev-parse", "HEAD")
    assert requested(tick(seen)) == {"flash_attention": f"flash_attention@{head}-1"}


def test_a_force_push_runs_what_it_took_away_too(repository: Repository, tick: Tick) -> None:
    kept = repository.commit(IN_SOFTMAX)
    taken_away = repository.commit(IN_ATTENTION)
    assert "flash_attention" in requested(tick(kept))
    repository.git("reset", "--quiet", "--hard", kept)
    found = requested(tick(taken_away))
    assert found == {"flash_attention": f"flash_attention@{kept}-1"}


def test_a_commit_that_comes_back_is_run_again(repository: Repository, tick: Tick) -> None:
    """Dagster launches no run key twice, and a branch may go back and forth."""
    older = repository.commit(IN_SOFTMAX)
    newer = repository.commit(IN_SOFTMAX)
    cursor: str | None = older
    keys: list[str | None] = []
    for head in (newer, older, newer, older, newer):
        repository.git("reset", "--quiet", "--hard", head)
        found = tick(cursor)
        keys.append(requested(found)["row_softmax"])
        assert requested(tick(cursor)) == requested(found), "the same tick tried again"
        assert isinstance(found, SensorResult)
        cursor = found.cursor
    assert len(set(keys)) == 5


def test_a_cursor_is_read_as_it_was_written_and_as_a_bare_commit() -> None:
    for cursor in (Cursor("c0ffee", 0), Cursor("c0ffee", 41)):
        assert Cursor.read(str(cursor)) == cursor
    assert Cursor.read("c0ffee") == Cursor("c0ffee", 0)
    assert Cursor.read(None) == Cursor.read("") == Cursor(None, 0)


def test_a_cursor_that_the_repository_forgot_counts_every_file_as_changed(
    repository: Repository, tick: Tick
) -> None:
    repository.commit(IN_SOFTMAX, IN_ATTENTION)
    assert set(requested(tick("0" * 40))) == {"row_softmax", "flash_attention"}


def test_targets_that_one_commit_touched_are_planned_together(
    repository: Repository, tick: Tick
) -> None:
    seen = repository.commit("README.md")
    repository.commit(IN_SOFTMAX, IN_ATTENTION)
    found = tick(seen)
    assert isinstance(found, SensorResult)
    assert len({run.tags[RUN_TAG] for run in found.run_requests or []}) == 1
    for run in found.run_requests or []:
        asking = asking_of("run-1", run.tags)
        assert asking.together == ("flash_attention", "row_softmax")
        assert not asking.may_wait


def test_a_folder_that_is_no_repository_is_a_reason_to_skip(
    tmp_path: Path,
    tick: Tick,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(REPOSITORY_VARIABLE, str(tmp_path))
    found = tick(None)
    assert isinstance(found, SkipReason)
    assert "is no git repository" in (found.skip_message or "")


def test_the_walk_returns_commits_oldest_first(repository: Repository, tmp_path: Path) -> None:
    seen = repository.commit("README.md")
    first, second = repository.commit(IN_SOFTMAX), repository.commit(IN_ATTENTION)
    found = new_commits(HomeHistory(Home(tmp_path / "home")), seen)
    assert found == [Commit(first, (IN_SOFTMAX,)), Commit(second, (IN_ATTENTION,))]


def test_a_target_that_cannot_be_read_is_run_to_fail_and_the_others_are_watched(
    repository: Repository, tick: Tick
) -> None:
    bad = tick.home.targets / "broken"
    bad.mkdir(parents=True)
    (bad / "target.yaml").write_text("title: [", encoding="utf-8")
    assert "broken" in HomeSources(tick.home).names()
    told: list[str] = []
    names = HomeSources(tick.home).names()
    found, unreadable = read_targets(HomeSources(tick.home), names, told.append)
    assert {target.name for target in found} == set(names) - {"broken"}
    assert unreadable == ["broken"]
    (line,) = told
    assert line.startswith("what broken watches is unknown: ")
    head = repository.commit(IN_SOFTMAX)
    result = tick(None)
    assert requested(result) == {
        "row_softmax": f"row_softmax@{head}-1",
        "broken": f"broken@{head}-1",
    }
    assert isinstance(result, SensorResult)
    (added,) = result.dynamic_partitions_requests or []
    assert "broken" in added.partition_keys
    assert isinstance(tick(head), SkipReason), "a target that stays broken fails once a commit"


@only_long
def test_a_target_that_is_up_to_date_is_not_run_for_its_commit(
    repository: Repository, command: Command
) -> None:
    repository.commit(IN_SOFTMAX)
    sources = HomeSources(command.home)
    command.pipeline.sources.snapshot = (  # pyright: ignore[reportAttributeAccessIssue]
        sources.snapshot
    )
    command.run("row_softmax")
    with prepare_instance(command.home) as instance:
        look = Tick(command.home, instance, definitions_of(LOCATION))
        head = repository.git("rev-parse", "HEAD")
        assert requested(look(None)) == {}
        found = look(None)
        assert isinstance(found, SensorResult)
        assert found.cursor == f"{head} 1"
        # A page that was deleted, a new commit, and one taken back: each is due again.
        (command.home.reports / "row_softmax.html").unlink()
        assert requested(look(None)) == {"row_softmax": f"row_softmax@{head}-1"}
        newer = repository.commit(IN_SOFTMAX)
        command.run("row_softmax")
        assert requested(look(head)) == {}
        repository.git("reset", "--quiet", "--hard", head)
        assert requested(look(newer)) == {"row_softmax": f"row_softmax@{head}-1"}
