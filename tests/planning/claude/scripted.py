"""A stand-in for Claude that answers by a script; the transport has tests of its own."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rocm_pipeline.planning.claude.call import (
    Answer,
    Call,
    Form,
    Reason,
    UnansweredError,
)
from rocm_pipeline.planning.claude.instructions import planner_instructions
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target

MODEL = "claude-test"
COMMIT = "0" * 40


class ScriptedClaude:
    """Gives the scripted answers in order: text, or a reason for none. Keeps what it was asked."""

    def __init__(self, *script: str | Reason) -> None:
        self._script = list(script)
        self.calls: list[Call[Any]] = []

    def ask(self, call: Call[Form]) -> Answer[Form]:
        self.calls.append(call)
        attempt = f"a-{len(self.calls)}"
        said = self._script.pop(0)
        if isinstance(said, Reason):
            raise UnansweredError(said, "as scripted", attempt_id=attempt)
        try:
            value = call.form.model_validate_json(said)
        except ValidationError as error:
            detail = "; ".join(item["msg"] for item in error.errors())
            raise UnansweredError(Reason.INVALID, detail, text=said, attempt_id=attempt) from error
        return Answer(value=value, attempt_id=attempt, model=MODEL, text=said)

    def ask_all(self, calls: Sequence[Call[Form]]) -> list[Answer[Form] | UnansweredError]:
        answers: list[Answer[Form] | UnansweredError] = []
        for call in calls:
            try:
                answers.append(self.ask(call))
            except UnansweredError as error:
                answers.append(error)
        return answers


def the_target(name: str = "row_softmax") -> Target:
    return library.load(name, Path("/nonexistent"))


def the_snapshot(**files: str) -> RepoSnapshot:
    return RepoSnapshot(repository="kernels", commit=COMMIT, files=files)


def a_form() -> dict[str, Any]:
    """Return the plan that the planner's instructions give as an example."""
    (example,) = re.findall(r"```json\n(.*?)```", planner_instructions(), re.DOTALL)
    return json.loads(example)


def changed(number: int, **fields: object) -> str:
    """Return the example with other fields in one of its tasks."""
    form = a_form()
    form["tasks"][number].update(fields)
    return json.dumps(form)


VALID = json.dumps(a_form())
