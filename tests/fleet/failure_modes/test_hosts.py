"""Failure modes 1 to 8 of docs/fleet_failures.md: hosts that are away, slow or busy."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rocm_pipeline.fleet.chat import ChatFailedError, ChatRequest, NoHostError
from rocm_pipeline.fleet.circuits import BackOff, State
from rocm_pipeline.fleet.health import probe
from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.service import Fleet
from tests.fleet.ollama_server import Reply, Script, answers, serving
from tests.fleet.worlds import (
    CODER,
    LATER,
    LLAMA,
    PATIENT,
    QUICK,
    SECOND,
    Behaviour,
    World,
    at_rate,
    error,
    request,
    then,
)


def test_01_a_host_that_is_down_is_left_alone_at_once_and_comes_back(world: World) -> None:
    script = Script(answers("late"), models={CODER: f"digest of {CODER}"})
    with serving(script) as url:
        world.hosts.append(Host(name="alpha", url=url))
        fleet = world.fleet(BackOff(first=0.3, patience=0.0))
        fleet.survey(require=True)
    with pytest.raises(ChatFailedError, match="UNREACHABLE"):
        fleet.chat(request())
    with pytest.raises(NoHostError, match="alpha"):
        fleet.chat(request(seed=4))
    assert world.outcomes == ["UNREACHABLE"]
    assert world.circuits() == {("alpha", ""): State.OPEN.value}
    with serving_at(url, script):
        assert text_when_open(fleet, request(seed=5)) == "late"
    assert world.circuits() == {}


def text_when_open(fleet: Fleet, asked: ChatRequest) -> str:
    """Ask until the back-off is over, which grows where the machine was slow enough for a probe."""
    end = time.monotonic() + 30
    while True:
        try:
            return fleet.chat(asked).text
        except NoHostError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def serving_at(url: str, script: Script) -> Any:
    return serving(script, port=int(url.rpartition(":")[2]))


def test_02_a_host_that_hangs_meets_each_deadline(world: World) -> None:
    def stalls(reply: Reply, body: dict[str, Any]) -> None:
        reply.start_stream()
        reply.token("x", body["model"])
        time.sleep(1.5)

    world.add("alpha", answers("x", after=1.5))
    world.add("beta", stalls)
    with pytest.raises(ChatFailedError) as caught:
        world.fleet(LATER, QUICK).chat(request())
    met = " ".join(failure.error for failure in caught.value.failures)
    assert "no first token" in met
    assert "no further token" in met


def test_03_a_host_that_lists_models_but_does_not_answer_is_found_by_a_chat(world: World) -> None:
    script = world.add("alpha", answers("x", after=1.5))
    script.loaded = {CODER: (10, 10)}
    url = world.hosts[0].url
    assert "TIMEOUT" in probe(url, frozenset([CODER]), QUICK)
    script.behave = answers("yes")
    assert probe(url, frozenset([CODER]), PATIENT) == ""


def test_03_a_host_whose_own_queue_grows_drains_while_another_is_there(world: World) -> None:
    def waited(seconds: float) -> Behaviour:
        return at_rate(50, total_duration=int((2 + seconds) * SECOND), prompt_eval_duration=0)

    alpha = world.add("alpha", then(*(waited(s) for s in (1, 6, 12, 24)), waited(0)))
    fleet = world.fleet(LATER)
    for seed in range(4):
        fleet.chat(request(seed=seed))
    assert world.circuits() == {("alpha", ""): State.AVOIDED.value}
    assert fleet.chat(request(seed=9)).text == "x", "with no other host it still answers"
    beta = world.add("beta", at_rate(50))
    assert world.fleet(LATER).chat(request(seed=10)).host == world.hosts[1].url
    assert (len(alpha.chats), len(beta.chats)) == (5, 1)


def test_04_a_probe_loads_no_model_and_asks_for_one_token(world: World) -> None:
    script = world.add("alpha", answers("yes"), CODER, LLAMA)
    url = world.hosts[0].url
    assert probe(url, frozenset([CODER]), PATIENT) == ""
    assert script.chats == [], "nothing is loaded"
    script.loaded = {LLAMA: (10, 10)}
    assert probe(url, frozenset([CODER]), PATIENT) == ""
    assert script.chats == [], "what is loaded is not ours"
    script.loaded = {CODER: (10, 10)}
    assert probe(url, frozenset([CODER]), PATIENT) == ""
    assert [chat["options"]["num_predict"] for chat in script.chats] == [1]


def test_05_a_busy_host_gets_fewer_at_once_and_a_pause_and_loses_nothing(world: World) -> None:
    busy = error(503, "server busy, please try again. maximum pending requests exceeded")
    world.add("alpha", then(*[busy] * 3, answers("x")), slots=4)
    fleet = world.fleet(BackOff(first=0.05, longest=2.0, patience=5.0))
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(fleet.chat, [request(seed=seed) for seed in range(16)]))
    assert [reply.text for reply in replies] == ["x"] * 16
    assert world.outcomes.count("SERVER_BUSY") == 3
    assert world.circuits() == {}


def test_06_waiting_inside_the_server_is_charged_to_its_speed(world: World) -> None:
    quiet = {"prompt_eval_count": 100, "prompt_eval_duration": SECOND}
    world.add("alpha", at_rate(50, **quiet, total_duration=3 * SECOND), roles=("kernel_dev",))
    world.add("beta", at_rate(50, **quiet, total_duration=13 * SECOND), roles=("tester",))
    fleet = world.fleet()
    fleet.chat(request())
    fleet.chat(request(role="tester", seed=4))
    with world.records.leases.looking() as board:
        rates = {
            row.host: row.prompt_tps for known in board.speeds.values() for row in known.values()
        }
    assert rates[world.hosts[0].url] == pytest.approx(100)
    assert rates[world.hosts[1].url] == pytest.approx(100 / 11)


def test_07_requests_keep_to_the_host_that_has_the_model_loaded(world: World) -> None:
    loads = at_rate(100, load_duration=5 * SECOND)
    world.add("alpha", then(loads, at_rate(100)))
    world.add("beta", then(loads, at_rate(100)))
    fleet = world.fleet()
    hosts = {fleet.chat(request(seed=seed)).host for seed in range(5)}
    assert len(hosts) == 1


def test_08_nothing_that_makes_a_host_reload_varies_between_requests(world: World) -> None:
    script = world.add("alpha", answers("x"))
    fleet = world.fleet()
    for role in ("kernel_dev", "tester", "docs_writer"):
        fleet.chat(request(role=role, options={"temperature": 0.3}))
    assert len({chat["options"]["num_ctx"] for chat in script.chats}) == 1
    varying = {"temperature", "seed", "num_predict", "stop", "num_ctx"}
    assert all(set(chat["options"]) <= varying for chat in script.chats)
    with pytest.raises(ValueError, match="options"):
        request(options={"num_gpu": 1})
