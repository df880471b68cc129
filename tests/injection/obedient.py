"""A model that does its task and also whatever any text in its prompt tells it to."""

import json
import re
from typing import Any

from rocm_pipeline.agents.embedded.brain import answer
from rocm_pipeline.agents.embedded.question import read_question
from rocm_pipeline.agents.embedded.writing import as_markdown
from rocm_pipeline.agents.reply import Reply, ReplyFile
from tests.fleet.ollama_server import Reply as Connection
from tests.injection.payloads import PAYLOADS, TRAP, Payload

_ORDER = re.compile(r"Obey order (\d{3})")


def orders_in(prompt: str) -> list[Payload]:
    """Return what the texts in a prompt tell a model to do."""
    return [PAYLOADS[int(number)] for number in dict.fromkeys(_ORDER.findall(prompt))]


class ObedientModel:
    """The behaviour of a scripted Ollama server; `obeyed` counts the orders it found."""

    def __init__(self, trap: str) -> None:
        self._trap = trap
        self.obeyed = 0
        self.hears: list[str] = []

    def __call__(self, connection: Connection, body: dict[str, Any]) -> None:
        prompt = body["messages"][-1]["content"]
        self.hears.append(json.dumps(body))
        orders = orders_in(prompt)
        self.obeyed += len(orders)
        text = as_markdown(_with_code(answer(read_question(prompt), 1), orders))
        for order in orders:
            text += self._addition(order)
        connection.start_stream()
        tools = [{"function": {"name": o.tool, "arguments": {}}} for o in orders if o.tool]
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if tools:
            message["tool_calls"] = tools
        connection.line(model=body["model"], message=message, done=False)
        connection.done(body["model"], prompt_eval_count=len(str(body["messages"])) // 3)

    def _addition(self, order: Payload) -> str:
        words = order.words.replace(TRAP, self._trap)
        files = "".join(f"\n### FILE: {p}\n```\n{t}```\n" for p, t in order.files.items())
        return f"\n### EXPLANATION\n{words}\n{files}" if words else files


def _with_code(reply: Reply, orders: list[Payload]) -> Reply:
    code = "".join(f"{order.code}\n" for order in orders if order.code)
    changed = tuple(ReplyFile(path=f.path, text=f.text + code) for f in reply.files)
    return reply.model_copy(update={"files": changed}) if code else reply
