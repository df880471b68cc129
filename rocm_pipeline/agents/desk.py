"""The desk: puts a brief to a model of the fleet and reads the answer, with records of both."""

import hashlib
from dataclasses import dataclass

from rocm_pipeline.agents.brief import Brief
from rocm_pipeline.agents.outcome import Exchange
from rocm_pipeline.agents.parser import ReplyError, parse
from rocm_pipeline.agents.prompts import render
from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.agents.roles import allowed_files
from rocm_pipeline.fleet.service import (
    ChatFailedError,
    ChatReply,
    ChatRequest,
    Failure,
    Fleet,
)
from rocm_pipeline.planning.plan import Task
from rocm_pipeline.records.records import Records


@dataclass(frozen=True)
class Answer:
    """One exchange; `reply` is None when no usable answer came, and `refused` says why."""

    exchange: Exchange
    reply: Reply | None
    refused: str = ""


class Desk:
    """Asks the models of a fleet and keeps the records."""

    def __init__(self, fleet: Fleet, records: Records) -> None:
        self._fleet = fleet
        self._records = records

    def ask(self, brief: Brief, *, plan_id: str, round: int = 1) -> Answer:
        """Ask once. An equal question that was answered before is not asked again.

        An answer that was cut, empty or of another form is a refused one. Raises ChatFailedError
        when no model answered at all, NoHostError or NoModelError when there is none to ask.
        """
        task = brief.task
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
        return Answer(exchange, reply, refused)

    def _chat(self, question: ChatRequest) -> ChatReply | Failure:
        try:
            return self._fleet.chat(question)
        except ChatFailedError as error:
            if error.unusable_answer is None:
                raise
            return error.unusable_answer


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
