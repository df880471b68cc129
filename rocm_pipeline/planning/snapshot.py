"""The part of a repository that a plan is made from."""

from pydantic import BaseModel, ConfigDict


class RepoSnapshot(BaseModel):
    """The files of a repository that a target watches.

    `commit` is the last commit that touched one of them (HEAD when none did), so that unrelated
    commits leave the snapshot, and everything made from it, as it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    commit: str
    files: dict[str, str]
    """Path in the repository to text."""
    left_out: tuple[str, ...] = ()
    """Watched files that were not taken, each with the reason."""
