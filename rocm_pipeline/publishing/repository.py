"""The configured repository: what a target watches in it, and which commits touched that."""

import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from rocm_pipeline.errors import UserError
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.publishing.git import Git
from rocm_pipeline.redaction.process import clean_text
from rocm_pipeline.targets.spec import Target

MAX_FILES = 40
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
    touched = git.run("rev-list", "--max-count=1", commit, "--", *names).strip() if names else ""
    return RepoSnapshot(
        repository=repository.name,
        commit=touched or commit,
        files=taken,
        left_out=tuple(left_out),
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/?|\*|\?)", pattern)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(part) or re.escape(part) for part in parts))


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
