"""One question about several subjects: what all of them need is sent once."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.planning.claude.call import Call, Form, Reason

ASKED_ALONE_AFTER = frozenset(
    {Reason.REFUSED, Reason.TRUNCATED, Reason.INVALID, Reason.OVER_BUDGET, Reason.REJECTED}
)
"""Why a shared question has no answer that one subject by itself may have."""


class SharedQuestion(BaseModel):
    """A question as it was first put; `subjects` are what it is about, in its order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subjects: tuple[str, ...]
    targets: tuple[str, ...]
    """Those that bear its cost."""
    prompt: str

    @property
    def kept(self) -> tuple[str, int]:
        """The question as `Questions` keeps it, and the number of its subjects."""
        return self.model_dump_json(), len(self.subjects)

    @property
    def is_shared(self) -> bool:
        return len(self.subjects) > 1


class Questions(Protocol):
    """Remembers in which question a subject is; see `records.questions.QuestionBook`."""

    def question(
        self,
        key: str,
        beside: Sequence[str],
        compose: Callable[[Sequence[str]], tuple[str, int]],
    ) -> str: ...


def key_of(call: Call[Form]) -> str:
    """Return the hash of all that is asked of one subject when it is asked about alone."""
    parts = (call.purpose.value, *(block.text for block in call.system), call.prompt)
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return f"q-{digest.hexdigest()[:32]}"
