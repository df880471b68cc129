"""When questions are taken to be one batch, and what is not decided until it is whole."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.dispatch import Dispatcher, Pace, Seen
from rocm_pipeline.fleet.gathering import Gathering
from rocm_pipeline.records.database import Database
from rocm_pipeline.records.leases import Leases
from tests.fleet.ollama_server import Reply, answers
from tests.fleet.policies import AnyFree
from tests.fleet.test_shared_slots import MODEL, finished, wish
from tests.fleet.worlds import CODER, World, request


def test_a_batch_is_whole_after_a_pause() -> None:
    gathering = Gathering(pause=1.0, at_most=5.0)
    assert gathering.ends < 0
    for at in (10.0, 10.8, 11.5):
        gathering.arrived(at)
    assert gathering.ends == 12.5


def test_questions_that_come_and_come_are_not_waited_for() -> None:
    gathering = Gathering(pause=1.0, at_most=5.0)
    for tenths in range(100, 200, 5):
        gathering.arrived(tenths / 10)
    assert gathering.ends == 15.0


def test_what_comes_long_after_is_another_batch() -> None:
    gathering = Gathering(pause=1.0, at_most=5.0)
    gathering.arrived(10.0)
    gathering.arrived(20.0)
    assert gathering.ends == 21.0


@pytest.mark.parametrize("gap", [0.3, 0.99, 1.0, 1.01, 1.5, 4.9, 7.0])
def test_however_questions_come_half_of_the_time_is_not_waited(gap: float) -> None:
    """Just after the pause each, they were taken for batches of their own, and held up for ever."""
    gathering, look = Gathering(pause=1.0, at_most=5.0), 0.03
    waited = [False]
    for number in range(int(100 / look)):
        now = number * look
        for arrival in range(int((now - look) / gap) + 1, int(now / gap) + 1):
            gathering.arrived(arrival * gap)
        waited.append(now < gathering.ends)
    longest = max(map(len, "".join("x" if one else " " for one in waited).split()))
    assert longest * look <= 5.0 + look
    assert sum(waited) * look <= 55.0


def test_what_was_asked_long_ago_begins_no_batch() -> None:
    gathering = Gathering(pause=1.0, at_most=5.0)
    gathering.arrived(10.0)
    gathering.arrived(2.0)
    assert gathering.ends == 11.0


@pytest.mark.parametrize(("gather", "first"), [(0.5, "long"), (0.0, "short")])
def test_what_to_load_first_is_decided_by_the_whole_batch(
    world: World, gather: float, first: str
) -> None:
    """The longest question is the first one, unless nobody waits for it."""
    asked: list[str] = []
    usual = answers("__global__")

    def noting(reply: Reply, body: dict[str, Any]) -> None:
        asked.append(body["messages"][-1]["content"])
        usual(reply, body)

    world.add("alpha", noting, CODER)
    fleet = world.fleet(pace=Pace(look=0.01, gather=gather))
    with ThreadPoolExecutor(3) as pool:
        for prompt, most in (("short", 10), ("middle", 1_000), ("long", 4_000)):
            pool.submit(fleet.chat, request(prompt=prompt, max_tokens=most))
            time.sleep(0.05)
    assert asked[0] == first
    assert sorted(asked) == ["long", "middle", "short"]


def test_a_batch_that_came_while_all_was_taken_is_loaded_for_when_it_is_whole(
    tmp_path: Path,
) -> None:
    pace = Pace(look=0.01, decide=60.0, gather=1.0)
    leases = Leases(Database(f"{tmp_path}/records.db"))
    given = Dispatcher(leases, AnyFree(), lambda _host, _model: "", BackOff(), pace)
    given.announce([Seen("http://a", "a", 1, (MODEL, f"other{MODEL}"), max_loaded=1)])
    other = wish().model_copy(update={"places": (("http://a", f"other{MODEL}"),)})
    held = given.acquire(wish(), since=time.time(), give_up_seconds=60)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(given.acquire, other, since=time.time(), give_up_seconds=60)
        time.sleep(0.2)
        given.release(held, finished(held))
        before = time.monotonic()
        assert asked.result(timeout=60).model == f"other{MODEL}"
    assert time.monotonic() - before < 8  # not only once the attendant beats


def test_a_loaded_model_is_asked_at_once(world: World) -> None:
    world.add("alpha", answers("__global__"), CODER)
    fleet = world.fleet(pace=Pace(look=0.01, gather=30.0))
    with world.records.leases.deciding() as board:
        board.speed(world.hosts[0].url, f"{CODER}@digest of {CODER}").used_at = board.now
    before = time.monotonic()
    fleet.chat(request())
    assert time.monotonic() - before < 20
