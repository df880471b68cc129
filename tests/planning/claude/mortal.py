"""Processes that ask Claude and die at a named point, made fast by forking one that is ready.

Orders come as JSON lines on the standard input. The first is carried out here, to get ready what
every process needs. Of each later one the process id is printed, then, when the process has ended,
its exit status.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rocm_pipeline.planning.claude import wire
from rocm_pipeline.planning.claude.call import Answer, Claude, UnansweredError
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.open_batches import OpenBatches
from rocm_pipeline.planning.claude.planner import ClaudePlanner, Planned, PlanRequest
from rocm_pipeline.planning.claude.settings import read_settings
from rocm_pipeline.records.files import Files
from rocm_pipeline.records.journal import Journal
from rocm_pipeline.records.questions import QuestionBook
from rocm_pipeline.records.records import Records
from rocm_pipeline.targets import library
from tests.planning.claude.batch_calls import QUICK, Echo, question, records_in
from tests.planning.claude.scripted import the_snapshot, the_target
from tests.standins.claude import KEY


class Order(BaseModel):
    """One process: what it asks, and where it dies, if at all."""

    url: str
    folder: Path
    prompts: list[str] = []
    in_batch: bool
    plans: str | None = None
    """A target to plan beside all others, as a scheduled run does, in place of prompts."""
    dies: str | None = None

    @property
    def result(self) -> Path:
        """Where the process leaves what came of each prompt: what was said, or why not."""
        return self.folder / "result.json"


DIRECT_DEATHS: dict[str, tuple[object, str, str, int]] = {
    "before the intent": (Journal, "intent", "before", 1),
    "after the intent, before the request": (Journal, "intent", "after", 1),
    "after the answer, before its outcome": (Journal, "finish", "before", 1),
    "between inbox and database": (Journal, "_settle", "before", 1),
    "between database and the inbox's emptying": (Files, "remove", "before", 1),
    "after the outcome": (Journal, "finish", "after", 1),
}
"""Points by the function, the side of it and the call of it at which the process kills itself."""

BATCH_DEATHS: dict[str, tuple[object, str, str, int]] = {
    "before the first intent": (Journal, "intent", "before", 1),
    "between two intents": (Journal, "intent", "before", 2),
    "after the intents, before the request": (OpenBatches, "submit", "before", 1),
    "after the answer, before the batch is noted": (Journal, "put_in_batch", "before", 1),
    "after the batch is noted": (Journal, "put_in_batch", "after", 1),
    "before results are looked at": (OpenBatches, "collect", "before", 1),
    "before the first outcome": (Journal, "finish", "before", 1),
    "between inbox and database, in a batch": (Journal, "_settle", "before", 1),
    "between two outcomes": (Journal, "finish", "before", 2),
    "after all outcomes": (wire, "replayed", "before", 1),
}


QUESTION_DEATHS: dict[str, tuple[object, str, str, int]] = {
    "before the question is kept": (QuestionBook, "question", "before", 1),
    "after the question is kept": (QuestionBook, "question", "after", 1),
}


def die_at(point: str) -> None:
    """Make this process kill itself at a point."""
    owner, name, side, at = {**DIRECT_DEATHS, **BATCH_DEATHS, **QUESTION_DEATHS}[point]
    whole: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def mortal(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = whole(*arguments, **named)
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, mortal)


def ask(order: Order) -> None:
    """Ask as ordered, and leave what came of it."""
    settings = read_settings().model_copy(update={"batch": order.in_batch})
    records = records_in(order.folder)
    claude = AnthropicClaude(records, settings, key=KEY, url=order.url, patience=QUICK)
    if order.plans is not None:
        words = {order.plans: plan(claude, records, order.plans).words}
    else:
        came = claude.ask_all([question(prompt) for prompt in order.prompts])
        words = {prompt: _words(one) for prompt, one in zip(order.prompts, came, strict=True)}
    order.result.write_text(json.dumps(words))
    claude.close()
    records.close()


def plan(claude: Claude, records: Records, name: str) -> Planned:
    """Plan a target beside all the others, in a batch."""
    targets = [the_target(each) for each in library.builtin_names()]
    requests = {target.name: PlanRequest(target, the_snapshot()) for target in targets}
    book = QuestionBook(records.database, records.store)
    planner = ClaudePlanner(claude)
    return planner.plan_together(requests[name], list(requests.values()), book, may_wait=True)


def _words(came: Answer[Echo] | UnansweredError) -> str:
    return came.value.said if isinstance(came, Answer) else came.reason.value


def _serve() -> None:
    ask(Order.model_validate_json(sys.stdin.readline()))
    for line in sys.stdin:
        order = Order.model_validate_json(line)
        pid = os.fork()
        if pid == 0:
            if order.dies is not None:
                die_at(order.dies)
            ask(order)
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
