"""The desk: puts a brief to a model of the fleet and reads the answer, with records of both."""

import hashlib
import logging
from dataclasses import dataclass

from rocm_pipeline.agents.brief import Brief
from rocm_pipeline.agents.embedded import MODEL
from rocm_pipeline.agents.outcome import Exchange
from rocm_pipeline.agents.parser import ReplyError, parse
from rocm_pipeline.agents.prompts import render
from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.agents.roles import allowed_files
from rocm_pipeline.agents.shortening import room_of, shorten
from rocm_pipeline.fleet.chat import (
    ChatFailedError,
    ChatReply,
    ChatRequest,
    Failure,
    Sampling,
)
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.planning.plan import Priority, Role, Task
from rocm_pipeline.records.records import Records

WIDEST = 8
"""Answers asked for at once in one kernel task: each of them has to be judged as well."""
TEMPERATURES = (0.2, 0.5, 0.8, 1.0)
_PRIORITIES = {Priority.LOW: -1, Priority.NORMAL: 0, Priority.HIGH: 1}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """One exchange; `reply` is None when no usable answer came, and `refused` says why."""

    exchange: Exchange
    reply: Reply | None
    refused: str = ""
    left_out: tuple[str, ...] = ()
    """What of the brief was not shown, because the model's window is too small for all of it."""


@dataclass(frozen=True)
class Manner:
    """How a desk asks when several ask the same: of which model rather, and how freely."""

    prefer_model: str = ""
    temperature: float | None = None
    """None: what the model's own file says."""


class Desk:
    """Asks the models of a fleet and keeps the records."""

    def __init__(self, fleet: Fleet, records: Records, manner: Manner | None = None) -> None:
        self._fleet = fleet
        self._records = records
        self._manner = manner or Manner()

    def others(self, role: Role) -> tuple["Desk", ...]:
        """Return desks that may be asked beside this one, as many as the fleet has room for.

        They turn to the models of the role by turns and ask more and more freely.
        """
        models = self._fleet.models_for(role.value)
        width = min(WIDEST, self._fleet.room_for(role.value))
        return tuple(
            Desk(
                self._fleet,
                self._records,
                Manner(models[number % len(models)], TEMPERATURES[number % len(TEMPERATURES)]),
            )
            for number in range(1, width)
        )

    def ask(self, brief: Brief, *, plan_id: str, round: int = 1) -> Answer:
        """Ask once. An equal question that was answered before is not asked again.

        An answer that was cut, empty or of another form is a refused one. Raises ChatFailedError
        when no model answered at all, NoHostError or NoModelError when there is none to ask.
        """
        task = brief.task
        brief, left_out = self._fitted(brief)
        if left_out:
            _log.warning("the prompt of task %s lacks %s", task.id, ", ".join(left_out))
        prompt = render(task.role, brief)
        question = ChatRequest(
            role=task.role.value,
            target=brief.target.name,
            plan_id=plan_id,
            task_id=task.id,
            purpose=task.task_type.value,
            round=round,
            system=prompt.system,
            prompt=prompt.user,
            seed=_seed(brief.target.name, task, round),
            max_tokens=task.max_tokens,
            options=self._options,
            priority=_PRIORITIES[task.priority],
            prefer_model=self._manner.prefer_model,
        )
        got = self._chat(question)
        reply, refused, document = _read(got, task)
        reply_id = self._records.save_reply(
            got.attempt_id,
            plan_id=plan_id,
            task_id=task.id,
            target=brief.target.name,
            document=document,
        )
        exchange = Exchange(
            task_id=task.id,
            role=task.role.value,
            round=round,
            attempt_id=got.attempt_id,
            reply_id=reply_id,
            model=got.model,
            model_digest=got.digest,
            host=got.host,
            prompt_sha256=prompt.sha256,
            seed=question.seed,
            tokens_in=got.tokens_in,
            tokens_out=got.tokens_out,
        )
        return Answer(exchange, reply, refused, left_out)

    def _fitted(self, brief: Brief) -> tuple[Brief, tuple[str, ...]]:
        role = brief.task.role.value
        # The embedded agent is a program: it has no window.
        if self._fleet.models_for(role) == (MODEL,):
            return brief, ()
        room = room_of(self._fleet.context_for(role), brief.task.max_tokens)
        return shorten(brief, _length, room)

    @property
    def _options(self) -> dict[Sampling, float]:
        if self._manner.temperature is None:
            return {}
        return {"temperature": self._manner.temperature}

    def _chat(self, question: ChatRequest) -> ChatReply | Failure:
        try:
            return self._fleet.chat(question)
        except ChatFailedError as error:
            if error.unusable_answer is None:
                raise
            return error.unusable_answer


def _length(brief: Brief) -> int:
    prompt = render(brief.task.role, brief)
    return len(prompt.system) + len(prompt.user)


def _read(got: ChatReply | Failure, task: Task) -> tuple[Reply | None, str, str]:
    """Return the reply or why there is none, and what of it goes on record."""
    if isinstance(got, Failure):
        refused = f"the answer cannot be used: {got.outcome.value}, {got.error}"
        return None, refused, refused
    try:
        reply = parse(got.text, allowed=allowed_files(task.role))
    except ReplyError as error:
        return None, str(error), got.text
    return reply, "", reply.model_dump_json()


def _seed(target: str, task: Task, round: int) -> int:
    """A seed that differs between tasks and rounds and is the same on every machine."""
    digest = hashlib.sha256(f"{target}/{task.id}/{round}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
