"""A parsed answer of an agent: files, explanation and its own opinion of them."""

from pydantic import BaseModel, ConfigDict, Field


class ReplyFile(BaseModel):
    """One whole file; agents never answer with diffs, which small models get wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    text: str


class Reply(BaseModel):
    """What an agent answered. `confidence` is its opinion: shown, and gating nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[ReplyFile, ...] = ()
    explanation: str = ""
    confidence: float | None = Field(default=None, ge=0, le=1)
    limitations: tuple[str, ...] = ()

    def file(self, path: str) -> str | None:
        """Return the text of the file at `path`, or None when the agent did not send it."""
        return next((file.text for file in self.files if file.path == path), None)
