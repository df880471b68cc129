"""Targets and the configured repository of a home."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from rocm_pipeline.home import Home
from rocm_pipeline.planning.claude.call import Reason
from rocm_pipeline.planning.history import Commit
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.planning.returned import continued, open_follow_up
from rocm_pipeline.planning.rules import because, make_plan
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.publishing import repository
from rocm_pipeline.publishing.example import ensure_example
from rocm_pipeline.records.records import Records
from rocm_pipeline.resources.locks import locked
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target


class HomeSources:
    """Targets of the package and of the home, and what they watch in the repository."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def names(self) -> tuple[str, ...]:
        return library.names(self._home.targets)

    def target(self, name: str) -> Target:
        return library.load(name, self._home.targets)

    def snapshot(self, target: Target) -> RepoSnapshot:
        place = configured_repository(self._home)
        return repository.with_related(place, target, repository.snapshot(place, target))

    def history(self, snapshot: RepoSnapshot) -> tuple[Commit, ...]:
        return repository.history(configured_repository(self._home), snapshot)

    def plan_without_claude(self, target: Target) -> Plan:
        """Return the plan that a run with no key for Claude goes by; nothing is kept of it."""
        snapshot = self.snapshot(target)
        plan = because(
            make_plan(target, snapshot.commit, tuple(snapshot.files)), Reason.NO_KEY.value
        )
        if not self._home.records.exists():
            return plan
        with self._records() as records:
            asked = open_follow_up(records, target, snapshot.commit)
            return asked or continued(records, plan, target)

    def sent_back(self, target: Target, snapshot: RepoSnapshot) -> Plan | None:
        if not self._home.path.exists():
            return None
        with self._records() as records:
            return open_follow_up(records, target, snapshot.commit)

    @contextmanager
    def _records(self) -> Generator[Records, None, None]:
        records = Records.open(self._home.records_url, str(self._home.store))
        try:
            yield records
        finally:
            records.close()


class HomeHistory:
    """The commits of the configured repository."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def head(self) -> str:
        return repository.head(configured_repository(self._home))

    def is_ancestor(self, older: str, newer: str) -> bool:
        return repository.is_ancestor(self._home.repository, older, newer)

    def commits_after(self, older: str | None, limit: int) -> list[str]:
        return repository.commits_after(self._home.repository, older, limit)

    def changed_files(self, older: str | None, newer: str) -> list[str]:
        return repository.changed_files(self._home.repository, older, newer)


def configured_repository(home: Home) -> Path:
    """Return the repository's folder; the built-in example is made at its first use."""
    if home.repository == home.path / "repository" and not home.repository.exists():
        home.create()
        with locked(home.path / "repository.lock"):
            ensure_example(home.repository)
    return home.repository
