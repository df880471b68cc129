"""When questions are taken to be one batch, and what is not decided until it is whole."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rocm_pipeline.fleet.dispatch import Pace
from rocm_pipeline.fleet.gathering import Gathering
from tests.fleet.ollama_server import Reply, answers
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


def test_what_comes_after_the_pause_is_another_batch() -> None:
    gathering = Gathering(pause=1.0, at_most=5.0)
    gathering.arrived(10.0)
    gathering.arrived(20.0)
    assert gathering.ends == 21.0


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


def test_a_loaded_model_is_asked_at_once(world: World) -> None:
    world.add("alpha", answers("__global__"), CODER)
    fleet = world.fleet(pace=Pace(look=0.01, gather=30.0))
    with world.records.leases.deciding() as board:
        board.speed(world.hosts[0].url, f"{CODER}@digest of {CODER}").used_at = board.now
    before = time.monotonic()
    fleet.chat(request())
    assert time.monotonic() - before < 20
