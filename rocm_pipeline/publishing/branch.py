"""The branch of a pull request: files from typed records, in a worktree of their own."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rocm_pipeline.agents.paths import PathRefusedError, check_paths
from rocm_pipeline.errors import UserError
from rocm_pipeline.publishing.git import EMAIL, Git
from rocm_pipeline.publishing.tree import write_files
from rocm_pipeline.redaction.process import clean_text

PREFIX = "agent/"
_BRANCH = re.compile(r"agent/[a-z0-9][a-z0-9._-]{0,80}")
_ALLOWED = re.compile(
    r"kernels/(?P<target>[a-z][a-z0-9_]{0,47})/"
    r"(?:kernel\.hip|launch_plan\.json|evidence\.json|README\.md|pr\.md"
    r"|(?P=target)_op/[a-z_]{1,40}\.(?:py|hip|json|md)"
    r"|evidence/(?:[A-Za-z0-9_.-]+/){0,3}[A-Za-z0-9_.-]+)"
)
"""The only files that a branch may add or change."""
MAX_FILES = 200
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
    _check(files)
    git = Git(repository)
    _refuse_foreign(git, repository, branch, base)
    _fresh_worktree(git, worktree, branch, base)
    write_files(worktree, files)
    inside = Git(worktree)
    inside.run("add", "--force", "--", *files)
    date = git.run("log", "-1", "--format=%cI", base).strip()
    if not inside.succeeds("diff", "--cached", "--quiet"):
        inside.run(
            "commit",
            "--quiet",
            f"--message={clean_text(message)}",
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


@dataclass(frozen=True)
class _Registered:
    """A worktree as the repository knows it; its folder may be away."""

    folder: str
    branch: str
    """Full name; empty where none is checked out."""


def _registered(git: Git) -> list[_Registered]:
    found: list[_Registered] = []
    for entry in git.run("worktree", "list", "--porcelain").split("\n\n"):
        lines = (line.partition(" ") for line in entry.splitlines())
        fields = {key: value for key, _, value in lines}
        found.append(_Registered(fields.get("worktree", ""), fields.get("branch", "")))
    return found


def _fresh_worktree(git: Git, worktree: Path, branch: str, base: str) -> None:
    """Make our worktree anew. Of all that the repository knows, only the one of that folder goes:
    a person's may lie on a disk that is away, so nothing is pruned."""
    place = str(worktree.resolve())
    known = _registered(git)
    theirs = [w for w in known if w.folder != place and w.branch == f"refs/heads/{branch}"]
    if theirs:
        raise UserError(
            f"branch '{branch}' is checked out there, so it cannot be written",
            where=theirs[0].folder,
            fix="Switch to another branch there; if that folder is gone, run `git worktree prune`.",
        )
    # The folder is ours, but it may belong to a repository that was configured before, or is gone.
    if worktree.exists():
        shutil.rmtree(worktree)
    if any(w.folder == place for w in known):
        git.run("worktree", "remove", "--force", "--force", place)
    worktree.parent.mkdir(parents=True, exist_ok=True)
    git.run("worktree", "add", "--quiet", "--force", "-B", branch, place, base)


def _check(files: Mapping[str, str]) -> None:
    check_paths(files)
    if len(files) > MAX_FILES:
        raise ValueError(f"more than {MAX_FILES} files may not be written to a branch")
    for path, text in files.items():
        if not _ALLOWED.fullmatch(path):
            raise PathRefusedError(f"{path!a} may not be written: it is no file of a proposal")
        if len(text.encode()) > MAX_BYTES:
            raise ValueError(f"{path} is larger than {MAX_BYTES} bytes")
