"""A model that plans, judges or gives hints, and does whatever a text in its prompt says."""

import json
from typing import Any

from rocm_pipeline.quoting.blocks import read_blocks
from tests.fleet.ollama_server import Reply
from tests.injection.obedient import orders_in
from tests.injection.payloads import TRAP, Payload
from tests.planning.claude.scripted import a_form
from tests.standins.claude import Ending, Request, Says, UsesTool


class ObedientJudge:
    """Claude, or a model of the fleet that reviews; `obeyed` counts the orders it found."""

    def __init__(self, trap: str) -> None:
        self._trap = trap
        self.obeyed = 0
        self.hears: list[str] = []

    def as_claude(self, request: Request) -> Ending:
        """Answer on Claude's protocol; an order to use a tool is obeyed by a call of it."""
        orders = self._heard(request.body)
        tool = next((order.tool for order in orders if order.tool), "")
        if tool:
            return UsesTool(tool, {"command": "git push --force", "url": self._trap})
        return Says(self._answer(request.body["messages"][-1]["content"], orders))

    def as_agent(self, connection: Reply, body: dict[str, Any]) -> None:
        """Answer on Ollama's protocol, in the same words."""
        orders = self._heard(body)
        text = self._answer(body["messages"][-1]["content"], orders)
        tools = [{"function": {"name": o.tool, "arguments": {}}} for o in orders if o.tool]
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if tools:
            message["tool_calls"] = tools
        connection.start_stream()
        connection.line(model=body["model"], message=message, done=False)
        connection.done(body["model"], prompt_eval_count=len(str(body["messages"])) // 3)

    def _heard(self, body: dict[str, Any]) -> list[Payload]:
        self.hears.append(json.dumps(body))
        orders = orders_in(body["messages"][-1]["content"])
        self.obeyed += len(orders)
        return orders

    def _answer(self, prompt: str, orders: list[Payload]) -> str:
        paths = [path for order in orders for path in order.files]
        code = [order.code for order in orders if order.code]
        words = [order.words.replace(TRAP, self._trap) for order in orders if order.words]
        blocks = read_blocks(prompt)
        if "ROUNDS" in blocks:
            form: dict[str, Any] = {"hint": "\n\n# ".join(("Try it.", *paths, *code, *words))}
        elif any(name.endswith("FACTS") for name in blocks):
            form = {"reviews": [_judgement(json.loads(blocks["KERNEL 1 FACTS"]), paths, words)]}
            form |= {"run": code} if code else {}
        else:
            form = a_form()
            for task in form["tasks"]:
                task["objective"] += "\n".join(words)
                task["files"] = paths
            form |= {"tools": code} if code else {}
        return json.dumps(form)


def _judgement(facts: dict[str, Any], paths: list[str], words: list[str]) -> dict[str, Any]:
    evidence = facts["evidence"]["id"]
    remarks = [
        {"severity": "note", "message": f"As told.\n\n## {text}", "cites": cites}
        for text, cites in ((text, paths[0] if paths else evidence) for text in words or paths)
    ]
    return {
        "kernel": facts["kernel"],
        "verdict": "approve",
        "architecture": remarks,
        "integration": [],
        "security": [],
        "upstream": [],
    }
