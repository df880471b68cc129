"""A run for each target whose watched files a new commit of the repository touched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import dagster as dg

from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.automation.jobs import main_job
from rocm_pipeline.automation.outputs import Outputs
from rocm_pipeline.automation.staleness import (
    next_wave,
    read_made,
    stages_of,
    versions_outside,
)
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home
from rocm_pipeline.publishing.repository import watched
from rocm_pipeline.resources.asking import RUN_TAG, TRIGGER_TAG, together
from rocm_pipeline.resources.protocols import History, Sources
from rocm_pipeline.targets.spec import Target

MOST_COMMITS = 500
"""Commits walked at one tick, one by one; of a longer range only both ends are compared."""


@dataclass(frozen=True)
class Commit:
    """A commit with the paths that changed by it."""

    sha: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Cursor:
    """How far the sensor has looked."""

    sha: str | None = None
    """The newest commit seen; None before the first look."""
    moves: int = 0
    """How often it moved. A branch may be set back and forward: one commit comes many times."""

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        sha, _, moves = (text or "").partition(" ")
        return cls(sha or None, int(moves or 0))

    def __str__(self) -> str:
        return f"{self.sha} {self.moves}"

    def moved_to(self, sha: str) -> "Cursor":
        return Cursor(sha, self.moves + 1)

    def run_key(self, target: str, commit: Commit) -> str:
        """Return what makes a run unique: Dagster never launches one key twice.

        A tick that was cut off asks for the same keys when it is tried again.
        """
        return f"{target}@{commit.sha}-{self.moves}"

    @property
    def run_id(self) -> str:
        """Return whose budget the runs of this move spend together."""
        return f"commit-{self.sha}-{self.moves}"


def due(commits: Sequence[Commit], watching: Sequence[Target]) -> dict[str, Commit]:
    """Return, by target, the newest of `commits` (oldest first) that changed a watched file.

    One run a target is enough for any number of commits: a run reads the newest state.
    """
    return {
        target.name: commit
        for commit in commits
        for target in watching
        if watched(target, commit.files)
    }


def new_commits(history: History, seen: str | None) -> list[Commit]:
    """Return what came after the commit `seen`, oldest first.

    At the first look that is HEAD alone. When `seen` is no longer in the history (a force-push),
    it is one change, from there to HEAD, so that what was taken away counts as changed too.
    """
    head = history.head()
    if seen == head:
        return []
    if seen is None:
        *parent, _ = history.commits_after(None, 2)
        return [_change(history, parent[0] if parent else None, head)]
    if not history.is_ancestor(seen, head):
        return [_between(history, seen, head)]
    shas = history.commits_after(seen, MOST_COMMITS + 1)
    if len(shas) > MOST_COMMITS:
        return [_change(history, seen, head)]
    return [_change(history, older, sha) for older, sha in pairwise([seen, *shas])]


def _change(history: History, older: str | None, sha: str) -> Commit:
    return Commit(sha, tuple(history.changed_files(older, sha)))


def _between(history: History, seen: str, head: str) -> Commit:
    try:
        files = history.changed_files(seen, head)
    except UserError:  # the old commit is gone altogether
        files = history.changed_files(None, head)
    return Commit(head, tuple(files))


def read_targets(
    sources: Sources, names: Sequence[str], on_bad: Callable[[str], None]
) -> tuple[list[Target], list[str]]:
    """Return the targets, and the names of those that cannot be read; `on_bad` is told why."""
    found: list[Target] = []
    unreadable: list[str] = []
    for name in names:
        try:
            found.append(sources.target(name))
        except UserError as error:
            unreadable.append(name)
            on_bad(f"what {name} watches is unknown: {error}")
    return found, unreadable


@dg.sensor(
    job=main_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Runs the targets whose watched files changed in the configured repository.",
)
def commits(
    context: dg.SensorEvaluationContext,
    home: dg.ResourceParam[Home],
    sources: dg.ResourceParam[Sources],
    history: dg.ResourceParam[History],
) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run per target that new commits touched.

    Also for each that cannot be read, which new commits may concern: its run fails where people
    look, while a commit that was passed over would be lost.
    """
    seen = Cursor.read(context.cursor)
    try:
        fresh = new_commits(history, seen.sha)
        names = sources.names()
    except UserError as error:
        return dg.SkipReason(str(error))
    if not fresh:
        return dg.SkipReason(f"no commit after {seen.sha}")
    watching, unreadable = read_targets(sources, names, context.log.warning)
    touched = due(fresh, watching)
    cursor = seen.moved_to(fresh[-1].sha)
    found = {
        target.name: touched[target.name]
        for target in watching
        if target.name in touched and not _is_current(context, home, sources, target)
    } | dict.fromkeys(unreadable, fresh[-1])
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=cursor.run_key(name, commit),
                partition_key=name,
                tags={
                    TRIGGER_TAG: "commit",
                    RUN_TAG: cursor.run_id,
                    "rocm/commit": commit.sha,
                    **together(sorted(found)),
                },
            )
            for name, commit in found.items()
        ],
        dynamic_partitions_requests=[targets.build_add_request(sorted(found))] if found else [],
        cursor=str(cursor),
    )


def _is_current(
    context: dg.SensorEvaluationContext, home: Home, sources: Sources, target: Target
) -> bool:
    """Say whether every stage stands already: a command may have run since the commit."""
    assert context.repository_def is not None
    stages = stages_of(context.repository_def)
    made = read_made(context.instance, Outputs(home), stages, target.name)
    try:
        return not next_wave(stages, made, versions_outside(sources, target))
    except UserError as error:  # the run says it again, where it is looked for
        context.log.warning(str(error))
        return False
