"""What publishing leaves in a repository."""

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PullRequest(_Frozen):
    """A branch that is ready to be proposed: kernel, operator, tests, docs and `pr.md`."""

    target: str
    branch: str
    commit: str | None
    """None when nothing was proposed; then `reason` says why."""
    base_commit: str
    files: tuple[str, ...]
    body: str
    reason: str = ""
