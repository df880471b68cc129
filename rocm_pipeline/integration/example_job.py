"""What running a document's examples asks of the sandboxed process, and what that one says.

Both ends read these models; see `job.py`, whose folders and processes they share.
"""

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.integration.job import Ended, Job

EXAMPLES_FILE = "examples.json"
ENDINGS_FILE = "endings.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExampleJob(_Frozen):
    """`job` names the operator and asks for no check."""

    job: Job
    sources: tuple[str, ...]


class ExampleEnding(_Frozen):
    """How one example ended."""

    ended: Ended
    message: str = ""
    reached: bool
    """Whether the operator's kernels answered; seen by the process that holds no agent's code."""


class ExampleEndings(_Frozen):
    endings: tuple[ExampleEnding, ...]
