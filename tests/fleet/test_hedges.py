"""At the tail, what takes long is asked once more elsewhere, and the first answer counts."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rocm_pipeline.fleet.backlog import Backlog
from rocm_pipeline.fleet.chat import ChatFailedError
from rocm_pipeline.fleet.dispatch import Pace
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.fleet.state import Assignment, HostState, Job
from tests.fleet.ollama_server import Reply, Script, answers
from tests.fleet.policies import AnyFree
from tests.fleet.worlds import PATIENT, Behaviour, World, hangs, request

PACE = Pace(look=0.01, decide=0.02, beat=0.5)


class FirstThenCopy:
    """Fills free slots in order; copies whatever runs once, as soon as nothing waits.

    Begins when `expected` jobs are known: until then it cannot be told whether any will wait.
    """

    def __init__(self, expected: int = 1) -> None:
        self._expected = expected
        self._any_free = AnyFree()

    def decide(
        self, now: float, backlog: Backlog, hosts: Sequence[HostState]
    ) -> tuple[Assignment, ...]:
        running = sum(len(host.busy) for host in hosts)
        if len(backlog) + running < self._expected:
            return ()
        self._expected = 1
        return self._any_free.decide(now, backlog, hosts)

    def hedge(
        self, now: float, jobs: Sequence[Job], hosts: Sequence[HostState]
    ) -> tuple[Assignment, ...]:
        running = [work.job_id for host in hosts for work in host.busy]
        where = {work.job_id: host.name for host in hosts for work in host.busy}
        free = [host for host in hosts for _ in range(host.free)]
        made: list[Assignment] = []
        for job in jobs:
            there = next((h for h in free if h.name != where[job.id]), None)
            if running.count(job.id) == 1 and there is not None:
                free.remove(there)
                made.append(Assignment(job.id, there.name, job.models[0], now + 1, hedge=True))
        return tuple(made)


def copying(world: World, expected: int = 1) -> Fleet:
    return world.fleet(policy=FirstThenCopy(expected), pace=PACE)


def once_asked(other: Callable[[], Script], behave: Behaviour) -> Behaviour:
    """Behave so once the other server was asked, too."""

    def wait(reply: Reply, body: dict[str, Any]) -> None:
        until = time.monotonic() + PATIENT.first_token / 2
        while not other().chats and time.monotonic() < until:
            time.sleep(0.01)
        behave(reply, body)

    return wait


def test_the_second_copy_answers_for_a_host_that_hangs(world: World) -> None:
    world.add("alpha", hangs)
    world.add("beta", answers("__global__", after=0.3))
    begun = time.monotonic()
    reply = copying(world).chat(request(seed=3))
    assert reply.text == "__global__"
    assert reply.host == world.hosts[1].url
    assert time.monotonic() - begun < PATIENT.stall
    first, copy = world.attempts
    assert (first.status, copy.status) == ("CANCELLED", "OK")
    assert copy.hedge_of == first.attempt_id
    assert first.hedge_of is None
    assert (first.attempt_no, copy.attempt_no) == (1, 1)
    assert reply.attempt_id == copy.attempt_id
    assert first.error == "another copy of it was answered first"
    assert first.tokens_out >= 1
    assert first.intent_sha256 == copy.intent_sha256


def test_a_copy_that_is_slower_is_ended(world: World) -> None:
    world.add("alpha", once_asked(lambda: beta, answers("first")))
    beta = world.add("beta", hangs)
    reply = copying(world).chat(request(seed=3))
    assert reply.text == "first"
    first, copy = world.attempts
    assert (first.status, copy.status) == ("OK", "CANCELLED")
    assert copy.hedge_of == first.attempt_id


def test_a_copy_answers_where_the_first_fails(world: World) -> None:
    def breaks(reply: Reply, _: dict[str, Any]) -> None:
        reply.start_stream()

    world.add("alpha", once_asked(lambda: beta, breaks))
    beta = world.add("beta", answers("second", after=0.8))
    assert copying(world).chat(request(seed=3)).text == "second"
    assert [row.status for row in world.attempts] == ["INCOMPLETE", "OK"]


def test_two_copies_that_fail_are_two_failures(world: World) -> None:
    cut = answers("x", done_reason="length")
    world.add("alpha", once_asked(lambda: beta, cut))
    beta = world.add("beta", cut)
    with pytest.raises(ChatFailedError) as caught:
        copying(world).chat(request(seed=3))
    assert {failure.host for failure in caught.value.failures} == {h.url for h in world.hosts}
    assert [row.status for row in world.attempts] == ["TRUNCATED", "TRUNCATED"]


def test_a_question_answered_before_is_never_asked_twice(world: World) -> None:
    alpha = world.add("alpha", hangs)
    beta = world.add("beta", answers("__global__"))
    fleet = copying(world)
    fleet.chat(request(seed=3))
    asked = len(alpha.chats) + len(beta.chats)
    assert fleet.chat(request(seed=3)).replayed
    time.sleep(3 * PACE.decide)
    assert len(alpha.chats) + len(beta.chats) == asked


def test_copies_never_take_more_slots_than_there_are(world: World) -> None:
    alpha = world.add("alpha", answers("x", after=1.0))
    beta = world.add("beta", answers("x", after=0.03), slots=2)
    fleet = copying(world)
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(fleet.chat, [request(prompt=f"{n}") for n in range(6)]))
    assert len(replies) == 6
    # a server notices that nobody reads any more when it next writes
    assert alpha.most_running <= 1
    assert beta.most_running <= 2
    done = [row for row in world.attempts if row.status == "OK"]
    assert len({row.prompt_sha256 for row in done}) == 6
    assert any(row.hedge_of for row in world.attempts)


def test_nothing_is_copied_while_anything_waits(world: World) -> None:
    gate = threading.Event()

    def gated(reply: Reply, body: dict[str, Any]) -> None:
        gate.wait(PATIENT.first_token / 2)
        answers("x")(reply, body)

    alpha = world.add("alpha", gated)
    beta = world.add("beta", gated)
    fleet = copying(world, expected=3)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(fleet.chat, request(seed=seed)) for seed in range(3)]
        while len(alpha.chats) + len(beta.chats) < 2:
            time.sleep(0.01)
        time.sleep(10 * PACE.decide)
        assert len(alpha.chats) + len(beta.chats) == 2
        assert not any(row.hedge_of for row in world.attempts)
        gate.set()
        assert [one.result(PATIENT.total).text for one in asked] == ["x", "x", "x"]
