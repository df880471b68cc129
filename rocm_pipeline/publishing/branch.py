"""The branch of a pull request: files from typed records, in a worktree of their own."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from rocm_pipeline.errors import UserError
from rocm_pipeline.publishing.git import EMAIL, Git

PREFIX = "agent/"
_BRANCH = re.compile(r"agent/[a-z0-9][a-z0-9._-]{0,80}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,80}")
MAX_BYTES = 2_000_000


def branch_name(target: str, kernel_id: str) -> str:
    """Return the branch for a kernel: the same kernel always gets the same branch."""
    name = f"{PREFIX}{target}-{kernel_id.removeprefix('k-')}".lower()
    if not _BRANCH.fullmatch(name) or name.endswith((".", ".lock")) or ".." in name:
        raise ValueError(f"'{name}' is no name for a branch")
    return name


def commit_files(
    repository: Path,
    worktree: Path,
    branch: str,
    base: str,
    files: Mapping[str, str],
    message: str,
) -> str:
    """Put `files` on `branch`, started at `base`, and return the commit.

    The commit's date is its base's, so that the same files on the same base are the same commit.
    A branch that holds commits of others is never touched.
    """
    for path, text in files.items():
        _check_path(path, text)
    git = Git(repository)
    _refuse_foreign(git, repository, branch, base)
    _fresh_worktree(git, worktree, branch, base)
    for path, text in files.items():
        place = worktree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8", newline="\n")
    inside = Git(worktree)
    inside.run("add", "--force", "--", *files)
    date = git.run("log", "-1", "--format=%cI", base).strip()
    if not inside.succeeds("diff", "--cached", "--quiet"):
        inside.run(
            "commit",
            "--quiet",
            f"--message={message}",
            GIT_AUTHOR_DATE=date,
            GIT_COMMITTER_DATE=date,
        )
    return inside.run("rev-parse", "HEAD").strip()


def _refuse_foreign(git: Git, repository: Path, branch: str, base: str) -> None:
    if not git.succeeds("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"):
        return
    text = git.run("log", "--format=%ce", f"{base}..refs/heads/{branch}")
    if any(author != EMAIL for author in text.split()):
        raise UserError(
            f"branch '{branch}' holds commits that are not ours",
            where=str(repository),
            fix="Rename that branch, or delete it when its work is merged.",
        )


def _fresh_worktree(git: Git, worktree: Path, branch: str, base: str) -> None:
    # The folder is ours, but it may belong to a repository that was configured before, or is gone.
    if worktree.exists():
        shutil.rmtree(worktree)
    git.run("worktree", "prune")
    worktree.parent.mkdir(parents=True, exist_ok=True)
    git.run("worktree", "add", "--quiet", "--force", "-B", branch, str(worktree), base)


def _check_path(path: str, text: str) -> None:
    parts = PurePosixPath(path).parts
    plain = parts and all(_PART.fullmatch(part) for part in parts)
    if not plain or PurePosixPath(path).is_absolute() or parts[0].lower() == ".git":
        raise ValueError(f"{path!r} may not be written to a branch")
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES} bytes")
