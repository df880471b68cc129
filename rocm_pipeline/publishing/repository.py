"""The configured repository: what a target watches in it, and which commits touched that."""

import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from rocm_pipeline.errors import UserError, one_line
from rocm_pipeline.planning.claude.relevance import included_paths
from rocm_pipeline.planning.history import Commit
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.publishing.git import Git
from rocm_pipeline.redaction.process import clean_text
from rocm_pipeline.targets.spec import Target

MAX_FILES = 40
MAX_COMMITS = 8
MAX_SUBJECT = 200
"""Characters of a commit's first line."""
MAX_BYTES = 24_000
"""All files together; they are quoted in prompts, beside the target and the kernels so far."""


def head(repository: Path) -> str:
    """Return the commit that HEAD names."""
    return _git(repository).run("rev-parse", "--verify", "HEAD^{commit}").strip()


def is_ancestor(repository: Path, older: str, newer: str) -> bool:
    """Say whether `older` is still in the history of `newer`; not so after a force-push."""
    return _git(repository).succeeds("merge-base", "--is-ancestor", older, newer)


def commits_after(repository: Path, older: str | None, limit: int) -> list[str]:
    """Return at most the `limit` newest commits of HEAD after `older`, oldest first."""
    span = f"{older}..HEAD" if older else "HEAD"
    text = _git(repository).run("rev-list", f"--max-count={limit}", "--first-parent", span)
    return list(reversed(text.split()))


def changed_files(repository: Path, older: str | None, newer: str) -> list[str]:
    """Return the paths that differ between two commits; all of `newer`'s when `older` is None."""
    git = _git(repository)
    if older is None:
        return _paths(git.run("ls-tree", "-r", "-z", "--name-only", newer))
    return _paths(git.run("diff", "--name-only", "-z", "--no-renames", older, newer))


def watched(target: Target, paths: Sequence[str]) -> list[str]:
    """Return those of `paths` that match one of the target's `watch` patterns.

    `*` and `?` match within one folder, `**` over any number of them.
    """
    patterns = [_compiled(pattern) for pattern in target.watch]
    return [path for path in paths if any(pattern.fullmatch(path) for pattern in patterns)]


def snapshot(repository: Path, target: Target) -> RepoSnapshot:
    """Read the target's watched files at HEAD from the object database, not the working tree."""
    git = _git(repository)
    commit = head(repository)
    names = watched(target, changed_files(repository, None, commit))
    taken: dict[str, str] = {}
    left_out = _take(git, commit, names, taken)
    touched = git.run("rev-list", "--max-count=1", commit, "--", *names).strip() if names else ""
    return RepoSnapshot(
        repository=repository.name,
        commit=touched or commit,
        files=taken,
        left_out=tuple(left_out),
    )


def with_related(repository: Path, target: Target, snapshot: RepoSnapshot) -> RepoSnapshot:
    """Return `snapshot` with the headers that its files include and those that name the baseline.

    They are read at the snapshot's own commit, within the same limits, headers first.
    """
    git = _git(repository)
    taken = dict(snapshot.files)
    left_out = list(snapshot.left_out)
    paths = set(_paths(git.run("ls-tree", "-r", "-z", "--name-only", snapshot.commit)))
    unread = [target.baseline.source, *taken.values()]
    while unread:
        new = set(included_paths(unread.pop(), paths)) - set(taken)
        paths -= new
        left_out += _take(git, snapshot.commit, sorted(new), taken)
        unread += [taken[name] for name in sorted(new & set(taken))]
    kernels = target.kernel_names(target.baseline.launch_plan)
    callers = set(_naming(git, snapshot.commit, kernels)) & paths - set(taken)
    left_out += _take(git, snapshot.commit, sorted(callers), taken)
    return snapshot.model_copy(update={"files": taken, "left_out": tuple(left_out)})


def history(repository: Path, snapshot: RepoSnapshot) -> tuple[Commit, ...]:
    """Return the last commits that touched a file of `snapshot`, newest first.

    They are read from the snapshot's commit on, so that later commits to other files change
    nothing. Subjects are foreign text, redacted and cut.
    """
    if not snapshot.files:
        return ()
    git = _git(repository)
    paths = [f":(literal){path}" for path in sorted(snapshot.files)]
    # a message holds no NUL; signatures would be checked by a program that the repository names
    text = git.run(
        "log",
        "-z",
        "--no-show-signature",
        f"--max-count={MAX_COMMITS}",
        "--format=%H%x00%cs%x00%s",
        snapshot.commit,
        "--",
        *paths,
    )
    fields = iter(text.split("\0"))
    return tuple(
        Commit(
            sha=sha,
            date=date,
            subject=one_line(clean_text(subject), MAX_SUBJECT),
            files=tuple(_touched(git, sha, paths)),
        )
        for sha, date, subject in zip(fields, fields, fields, strict=False)
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/?|\*|\?)", pattern)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(part) or re.escape(part) for part in parts))


def _take(git: Git, commit: str, names: Sequence[str], taken: dict[str, str]) -> list[str]:
    """Add the files `names` to `taken` while there is room; return what is left out, and why."""
    left_out: list[str] = []
    for name in names:
        room = MAX_BYTES - sum(len(text.encode()) for text in taken.values())
        text, reason = (
            _read(git, commit, name, room) if len(taken) < MAX_FILES else ("", "too many")
        )
        if reason:
            left_out.append(f"{_shown(name)}: {reason}")
        else:
            taken[name] = text
    return left_out


def _naming(git: Git, commit: str, words: Sequence[str]) -> list[str]:
    """Return the files in which one of `words` stands."""
    wanted = [part for word in words for part in ("-e", word)]
    try:
        text = git.run("grep", "-l", "-z", "-w", "-F", "-I", *wanted, commit)
    except UserError:
        return []  # git says so where nothing is found
    return [entry.removeprefix(f"{commit}:") for entry in _paths(text)]


def _touched(git: Git, commit: str, paths: Sequence[str]) -> list[str]:
    options = ("--no-commit-id", "--name-only", "--root", "-r", "-m", "-z")
    return sorted(set(_paths(git.run("diff-tree", *options, commit, "--", *paths))))


def _read(git: Git, commit: str, name: str, room: int) -> tuple[str, str]:
    if not _is_utf8(name):
        return "", "its name is not UTF-8"
    size = int(git.run("cat-file", "-s", f"{commit}:{name}"))
    if size > room:
        return "", f"{size} bytes, more than the {room} that are left of {MAX_BYTES}"
    text = git.run("cat-file", "blob", f"{commit}:{name}")
    is_text = "\0" not in text and _is_utf8(text)
    return (clean_text(text), "") if is_text else ("", "not text")


def _is_utf8(text: str) -> bool:
    """Say whether git printed UTF-8; other bytes came as lone surrogates, which no file holds."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(name: str) -> str:
    """Return a file's name with what is not UTF-8 written as escapes."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _git(repository: Path) -> Git:
    # by os.path: where a folder may not be looked into, pathlib raises
    if not os.path.exists(repository / ".git") and not os.path.isfile(repository / "HEAD"):
        raise UserError(
            "is no git repository",
            where=str(repository),
            fix="Set ROCM_PIPELINE_REPOSITORY to one, or unset it for the built-in example.",
        )
    return Git(repository)


def _paths(text: str) -> list[str]:
    return [path for path in text.split("\0") if path]
