"""Commits that touched a file, as a planner is told about them."""

from pydantic import BaseModel, ConfigDict


class Commit(BaseModel):
    """One commit. `subject` is foreign text: the first line of the commit's message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha: str
    date: str
    """Day of the commit, as YYYY-MM-DD."""
    subject: str
    files: tuple[str, ...]
    """Those of the watched files that it touched."""
