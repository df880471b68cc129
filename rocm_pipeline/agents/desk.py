"""The desk: puts a brief to a model of the fleet and reads the answer, with records of both."""

import hashlib
from dataclasses import dataclass

from rocm_pipeline.agents.brief import Brief
from rocm_pipeline.agents.outcome import Exchange
from rocm_pipeline.agents.parser import ReplyError, parse
from rocm_pipeline.agents.prompts import render
from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.agents.roles import allowed_files
from rocm_pipeline.fleet.service import ChatRequest, Fleet
from rocm_pipeline.planning.plan import Task
from rocm_pipeline.records.records import Records


@dataclass(frozen=True)
class Answer:
    """One exchange; `reply` is None when the text could not be read, and `refused` says why."""

    exchange: Exchange
    reply: Reply | None
    refused: str = ""


class Desk:
    """Asks the models of a fleet and keeps the records."""

    def __init__(self, fleet: Fleet, records: Records) -> None:
        self._fleet = fleet
        self._records = records

    def ask(self, brief: Brief, *, plan_id: str, round: int = 1) -> Answer:
        """Ask once. An equal question that was answered before is not asked again."""
        task = brief.task
        prompt = render(task.role, brief)
        chat = self._fleet.chat(
            ChatRequest(
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
        )
        reply, refused = _read(chat.text, task)
        reply_id = self._records.save_reply(
            chat.attempt_id,
            plan_id=plan_id,
            task_id=task.id,
            target=brief.target.name,
            document=reply.model_dump_json() if reply else chat.text,
        )
        exchange = Exchange(
            task_id=task.id,
            role=task.role.value,
            round=round,
            attempt_id=chat.attempt_id,
            reply_id=reply_id,
            model=chat.model,
            model_digest=chat.digest,
            host=chat.host,
            prompt_sha256=prompt.sha256,
            seed=_seed(brief.target.name, task, round),
            tokens_in=chat.tokens_in,
            tokens_out=chat.tokens_out,
        )
        return Answer(exchange, reply, refused)


def _read(text: str, task: Task) -> tuple[Reply | None, str]:
    try:
        return parse(text, allowed=allowed_files(task.role)), ""
    except ReplyError as error:
        return None, str(error)


def _seed(target: str, task: Task, round: int) -> int:
    """A seed that differs between tasks and rounds and is the same on every machine."""
    digest = hashlib.sha256(f"{target}/{task.id}/{round}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
