"""Loopback servers that behave as they are told, and fleets over them."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rocm_pipeline.fleet.chat import ChatRequest
from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.dispatch import Pace
from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.policy import Policy
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.fleet.transport import Deadlines
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow
from tests.fleet.ollama_server import Reply, Script, answers, serving
from tests.fleet.policies import WithoutCopies

PATIENT = Deadlines(connect=10.0, load=0.0, first_token=15.0, stall=15.0, total=40.0)
"""Where no host is slow on purpose: a busy machine may be."""
QUICK = Deadlines(connect=5.0, load=0.2, first_token=0.6, stall=0.6, total=5.0)
"""Where a host is silent on purpose. Another's answer may then come too late, too."""
SOON = BackOff(first=0.02, longest=0.1, quarantine=0.02, patience=30.0)
LATER = BackOff(first=60.0, quarantine=60.0, patience=0.0)
CODER = "qwen2.5-coder:7b"
LLAMA = "llama3.1:8b"
SECOND = 1_000_000_000

Behaviour = Callable[[Reply, dict[str, Any]], None]


class World:
    """Loopback servers with names, which end with the test, and records of what they did."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self.records = Records.open(str(folder / "records.db"), str(folder / "store"))
        stack.callback(self.records.close)
        self.hosts: list[Host] = []

    def add(self, name: str, behave: Behaviour, *models: str, **host: Any) -> Script:
        names = models or (CODER,)
        script = Script(behave, models={model: f"digest of {model}" for model in names})
        url = self._stack.enter_context(serving(script))
        self.hosts.append(Host(name=name, url=url, **host))
        return script

    def add_dead(self, name: str) -> None:
        with serving(Script(answers("x"))) as url:
            self.hosts.append(Host(name=name, url=url))

    def fleet(
        self,
        back_off: BackOff = SOON,
        deadlines: Deadlines = PATIENT,
        policy: Policy | None = None,
        pace: Pace | None = None,
    ) -> Fleet:
        return Fleet(
            self.hosts,
            self.records.journal,
            self.records.leases,
            deadlines=deadlines,
            back_off=back_off,
            policy=policy or WithoutCopies(),
            pace=pace,
        )

    @property
    def attempts(self) -> list[AttemptRow]:
        return self.records.ledger.attempts()

    @property
    def outcomes(self) -> list[str]:
        return [row.status for row in self.attempts]

    def circuits(self) -> dict[tuple[str, str], str]:
        """Return the state of each circuit that is not closed, by host and model."""
        names = {host.url: host.name for host in self.hosts}
        with self.records.leases.looking() as board:
            return {
                (names[row.host], row.model.partition("@")[0]): row.state
                for row in board.circuits.values()
            }


def request(**changes: Any) -> ChatRequest:
    fields: dict[str, Any] = {
        "role": "kernel_dev",
        "system": "You write kernels.",
        "prompt": "Write one.",
        "seed": 3,
        "max_tokens": 100,
        "options": {"temperature": 0.2},
        "target": "row_softmax",
        "purpose": "code",
        "plan_id": "plan-1",
        "task_id": "write_kernel",
        "run_id": "run-1",
        "round": 2,
    }
    return ChatRequest(**{**fields, **changes})


def then(*behaviours: Behaviour) -> Behaviour:
    """Behave as the first on the first call, and so on; as the last from then on."""
    left = list(behaviours)

    def behave(reply: Reply, body: dict[str, Any]) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(reply, body)

    return behave


def error(status: int, message: str = "it hurts") -> Behaviour:
    def behave(reply: Reply, _: dict[str, Any]) -> None:
        reply.whole(status, json.dumps({"error": message}))

    return behave


def at_rate(tokens_per_second: float, **more: Any) -> Behaviour:
    """Answer, and say that it took so long."""
    return answers("x", eval_count=100, eval_duration=int(100 / tokens_per_second * SECOND), **more)


def hangs(reply: Reply, body: dict[str, Any]) -> None:
    """Send a first token, and then nothing that would count, until nobody listens."""
    reply.start_stream()
    reply.token("__glo", body["model"])
    end = time.monotonic() + PATIENT.stall
    while time.monotonic() < end:
        time.sleep(0.01)
        reply.token("", body["model"])
