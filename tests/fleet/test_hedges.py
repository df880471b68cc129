"""At the tail, what takes long is asked once more elsewhere, and the first answer counts."""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.fleet.chat import ChatFailedError, ChatRequest
from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.dispatch import Pace
from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.fleet.state import Assignment, HostState, Job
from rocm_pipeline.fleet.transport import Deadlines
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow
from tests.fleet.ollama_server import Reply, Script, answers, serving

QUICK = Deadlines(connect=1.0, load=0.0, first_token=3.0, stall=3.0, total=6.0)
PACE = Pace(look=0.01, decide=0.02, beat=0.5)
SOON = BackOff(first=0.01, longest=0.06, quarantine=0.05, patience=1.0)
CODER = "qwen2.5-coder:7b"

Behaviour = Callable[[Reply, dict[str, Any]], None]


class FirstThenCopy:
    """Fills free slots in order; copies whatever runs once, as soon as nothing waits."""

    def decide(
        self, now: float, jobs: Sequence[Job], hosts: Sequence[HostState]
    ) -> tuple[Assignment, ...]:
        running = [work.job_id for host in hosts for work in host.busy]
        where = {work.job_id: host.name for host in hosts for work in host.busy}
        free = [host for host in hosts for _ in range(host.free)]
        waiting = [job for job in jobs if job.id not in where]
        if waiting:
            pairs = zip(waiting, free, strict=False)
            return tuple(Assignment(j.id, h.name, j.models[0], now + 1) for j, h in pairs)
        made: list[Assignment] = []
        for job in jobs:
            there = next((h for h in free if h.name != where[job.id]), None)
            if running.count(job.id) == 1 and there is not None:
                free.remove(there)
                made.append(Assignment(job.id, there.name, job.models[0], now + 1, hedge=True))
        return tuple(made)


class Servers:
    """Two servers; questions go to the first while it is free."""

    def __init__(self, stack: ExitStack, records: Records) -> None:
        self._stack = stack
        self.records = records
        self.hosts: list[Host] = []

    def add(self, name: str, behave: Behaviour, slots: int = 1) -> Script:
        script = Script(behave, models={CODER: "digest"})
        url = self._stack.enter_context(serving(script))
        self.hosts.append(Host(name=name, url=url, slots=slots))
        return script

    def fleet(self) -> Fleet:
        return Fleet(
            self.hosts,
            self.records.journal,
            self.records.leases,
            deadlines=QUICK,
            back_off=SOON,
            policy=FirstThenCopy(),
            pace=PACE,
        )

    def attempts(self) -> list[AttemptRow]:
        return self.records.ledger.attempts()


@pytest.fixture
def servers(tmp_path: Path) -> Generator[Servers, None, None]:
    with ExitStack() as stack:
        records = Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))
        yield Servers(stack, records)


def request(seed: int = 3) -> ChatRequest:
    return ChatRequest(
        role="kernel_dev",
        system="s",
        prompt=f"kernel {seed}",
        seed=seed,
        max_tokens=50,
        target="t",
        purpose="code",
    )


def hangs(reply: Reply, body: dict[str, Any]) -> None:
    reply.start_stream()
    reply.token("__glo", body["model"])
    for _ in range(300):
        time.sleep(0.01)
        reply.token("", body["model"])


def once_asked(other: Callable[[], Script], behave: Behaviour) -> Behaviour:
    """Behave so once the other server was asked, too."""

    def wait(reply: Reply, body: dict[str, Any]) -> None:
        until = time.monotonic() + 2.5
        while not other().chats and time.monotonic() < until:
            time.sleep(0.01)
        behave(reply, body)

    return wait


def test_the_second_copy_answers_for_a_host_that_hangs(servers: Servers) -> None:
    servers.add("alpha", hangs)
    servers.add("beta", answers("__global__"))
    begun = time.monotonic()
    reply = servers.fleet().chat(request())
    assert reply.text == "__global__"
    assert reply.host == servers.hosts[1].url
    assert time.monotonic() - begun < QUICK.stall
    first, copy = servers.attempts()
    assert (first.status, copy.status) == ("CANCELLED", "OK")
    assert copy.hedge_of == first.attempt_id
    assert first.hedge_of is None
    assert (first.attempt_no, copy.attempt_no) == (1, 1)
    assert reply.attempt_id == copy.attempt_id
    assert first.error == "another copy of it was answered first"
    assert first.tokens_out >= 1
    assert first.intent_sha256 == copy.intent_sha256


def test_a_copy_that_is_slower_is_ended(servers: Servers) -> None:
    servers.add("alpha", once_asked(lambda: beta, answers("first")))
    beta = servers.add("beta", hangs)
    reply = servers.fleet().chat(request())
    assert reply.text == "first"
    first, copy = servers.attempts()
    assert (first.status, copy.status) == ("OK", "CANCELLED")
    assert copy.hedge_of == first.attempt_id


def test_a_copy_answers_where_the_first_fails(servers: Servers) -> None:
    def breaks(reply: Reply, _: dict[str, Any]) -> None:
        reply.start_stream()

    servers.add("alpha", once_asked(lambda: beta, breaks))
    beta = servers.add("beta", answers("second", after=0.8))
    assert servers.fleet().chat(request()).text == "second"
    assert [row.status for row in servers.attempts()] == ["INCOMPLETE", "OK"]


def test_two_copies_that_fail_are_two_failures(servers: Servers) -> None:
    cut = answers("x", done_reason="length")
    servers.add("alpha", once_asked(lambda: beta, cut))
    beta = servers.add("beta", cut)
    with pytest.raises(ChatFailedError) as caught:
        servers.fleet().chat(request())
    assert {failure.host for failure in caught.value.failures} == {h.url for h in servers.hosts}
    assert [row.status for row in servers.attempts()] == ["TRUNCATED", "TRUNCATED"]


def test_a_question_answered_before_is_never_asked_twice(servers: Servers) -> None:
    alpha = servers.add("alpha", hangs)
    beta = servers.add("beta", answers("__global__"))
    fleet = servers.fleet()
    fleet.chat(request())
    asked = len(alpha.chats) + len(beta.chats)
    assert fleet.chat(request()).replayed
    time.sleep(3 * PACE.decide)
    assert len(alpha.chats) + len(beta.chats) == asked


def test_copies_never_take_more_slots_than_there_are(servers: Servers) -> None:
    alpha = servers.add("alpha", answers("x", after=1.0))
    beta = servers.add("beta", answers("x", after=0.03), slots=2)
    fleet = servers.fleet()
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(fleet.chat, [request(seed) for seed in range(6)]))
    assert len(replies) == 6
    # a server notices that nobody reads any more when it next writes
    assert alpha.most_running <= 1
    assert beta.most_running <= 2
    done = [row for row in servers.attempts() if row.status == "OK"]
    assert len({row.prompt_sha256 for row in done}) == 6
    assert any(row.hedge_of for row in servers.attempts())


def test_nothing_is_copied_while_anything_waits(servers: Servers) -> None:
    gate = threading.Event()

    def gated(reply: Reply, body: dict[str, Any]) -> None:
        gate.wait(5)
        answers("x")(reply, body)

    alpha = servers.add("alpha", gated)
    beta = servers.add("beta", gated)
    fleet = servers.fleet()
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(fleet.chat, request(seed)) for seed in range(3)]
        while len(alpha.chats) + len(beta.chats) < 2:
            time.sleep(0.01)
        time.sleep(10 * PACE.decide)
        assert len(alpha.chats) + len(beta.chats) == 2
        assert not any(row.hedge_of for row in servers.attempts())
        gate.set()
        assert [one.result(5).text for one in asked] == ["x", "x", "x"]
