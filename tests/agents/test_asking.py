"""What becomes of a question that no model answers usably: the desk and the kernel task."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.agents import kernel_task, outcome
from rocm_pipeline.agents.bench import Bench
from rocm_pipeline.agents.brief import Brief
from rocm_pipeline.agents.desk import Desk
from rocm_pipeline.agents.embedded.writing import as_markdown
from rocm_pipeline.agents.kernel_task import KernelTask
from rocm_pipeline.agents.outcome import KernelOutcome
from rocm_pipeline.agents.reply import Reply, ReplyFile
from rocm_pipeline.agents.roles import KERNEL_FILE, LAUNCH_PLAN_FILE
from rocm_pipeline.fleet.chat import ChatFailedError
from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.planning.plan import Role
from rocm_pipeline.records.records import Records
from rocm_pipeline.targets.spec import Target
from tests.agents.conftest import task_for
from tests.fleet.ollama_server import Reply as Wire
from tests.fleet.ollama_server import Script, answers, serving


class Answering:
    """Behaves on each call as the next of `turns` says, and as the last from then on."""

    def __init__(self) -> None:
        self.turns: list[Any] = []

    def __call__(self, wire: Wire, body: dict[str, Any]) -> None:
        (self.turns.pop(0) if len(self.turns) > 1 else self.turns[0])(wire, body)


class Approving(Bench):
    """Finds every kernel as good as the one of `evidence`."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    def judge_reply(self, *_: object, **__: object) -> Evidence:
        return self._evidence


SOON = BackOff(first=0.01, longest=0.05, patience=0.05)


class Scene:
    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.records = Records.open(str(folder / "records.db"), str(folder / "store"))
        stack.callback(self.records.close)
        self.server = Answering()
        self.script = Script(self.server)
        url = stack.enter_context(serving(self.script))
        self.url = url
        self.desk = Desk(
            Fleet(
                (Host(name="alpha", url=url),),
                self.records.journal,
                self.records.leases,
                back_off=SOON,
            ),
            self.records,
        )

    @property
    def statuses(self) -> list[str]:
        return [row.status for row in self.records.ledger.attempts()]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(stack, tmp_path)


def broken(wire: Wire, _: dict[str, Any]) -> None:
    wire.whole(500, '{"error": "it hurts"}')


PLENTY = 20_000
"""Tokens that a server says it read of a prompt which it did not cut."""
CUT = answers("half", done_reason="length", prompt_eval_count=PLENTY)


@pytest.mark.parametrize(
    ("turn", "status"),
    [
        (CUT, "TRUNCATED"),
        (answers(prompt_eval_count=PLENTY), "EMPTY"),
        (answers("x", prompt_eval_count=1), "TRUNCATED_PROMPT"),
    ],
)
def test_an_unusable_answer_is_a_refused_one_on_record(
    scene: Scene, target: Target, turn: Any, status: str
) -> None:
    scene.server.turns = [turn]
    brief = Brief(target=target, task=task_for(target, Role.KERNEL_DEV))
    answer = scene.desk.ask(brief, plan_id="plan-1")
    assert answer.reply is None
    assert status in answer.refused
    assert "half" not in answer.refused
    (row,) = scene.records.ledger.attempts()
    assert (row.status, row.attempt_id) == (status, answer.exchange.attempt_id)
    assert (answer.exchange.host, answer.exchange.model) == (scene.url, row.model_requested)
    assert answer.exchange.model_digest == row.model_digest
    assert answer.exchange.tokens_out == row.tokens_out == 2
    assert answer.exchange.reply_id


def test_a_host_that_gives_no_answer_is_no_answer_of_the_model(
    scene: Scene, target: Target
) -> None:
    scene.server.turns = [broken]
    brief = Brief(target=target, task=task_for(target, Role.KERNEL_DEV))
    with pytest.raises(ChatFailedError, match="it hurts"):
        scene.desk.ask(brief, plan_id="plan-1")


def kernel_text(candidate: Candidate) -> str:
    plan = candidate.launch_plan.model_dump_json(indent=2, exclude_defaults=True)
    return as_markdown(
        Reply(
            files=(
                ReplyFile(path=KERNEL_FILE, text=candidate.source),
                ReplyFile(path=LAUNCH_PLAN_FILE, text=plan + "\n"),
            )
        )
    )


def developed(scene: Scene, target: Target, evidence: Evidence) -> KernelOutcome:
    work = KernelTask(
        target=target,
        plan_id="plan-1",
        task=task_for(target, Role.KERNEL_DEV),
        files={},
        suite=outcome.TestSuite(target=target.name, cases=()),
        baseline=evidence,
        rounds=3,
    )
    return kernel_task.develop(work, scene.desk, Approving(evidence), lambda _: None)


def test_a_kernel_that_passed_stands_when_later_answers_are_cut(
    scene: Scene, target: Target, candidate: Candidate, passed: Evidence
) -> None:
    scene.server.turns = [answers(kernel_text(candidate), prompt_eval_count=PLENTY), CUT]
    found = developed(scene, target, passed)
    first, second, third = found.rounds
    assert first.evidence is not None
    assert first.evidence.status is Status.PASSED
    assert "TRUNCATED" in second.refused
    assert "TRUNCATED" in third.refused
    assert found.cut_off == ""
    assert "TRUNCATED" in scene.script.chats[-1]["messages"][1]["content"]


def test_a_kernel_that_passed_stands_when_the_host_then_breaks(
    scene: Scene, target: Target, candidate: Candidate, passed: Evidence
) -> None:
    scene.server.turns = [answers(kernel_text(candidate), prompt_eval_count=PLENTY), broken]
    found = developed(scene, target, passed)
    (only,) = found.rounds
    assert only.candidate is not None
    assert "it hurts" in found.cut_off
    assert "\n" not in found.cut_off
    assert scene.statuses == ["OK", *["SERVER_ERROR"] * 4]


def test_a_task_that_nobody_answers_ends_without_a_round(
    scene: Scene, target: Target, passed: Evidence
) -> None:
    scene.server.turns = [broken]
    found = developed(scene, target, passed)
    assert found.rounds == ()
    assert found.cut_off
