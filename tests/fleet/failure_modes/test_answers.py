"""Failure modes 9 to 19 of docs/fleet_failures.md: answers and models that are of no use."""

import time
from typing import Any

import pytest

from rocm_pipeline.agents.parser import ReplyError, parse
from rocm_pipeline.agents.reply import Reply as AgentReply
from rocm_pipeline.agents.reply import ReplyFile
from rocm_pipeline.agents.roles import allowed_files
from rocm_pipeline.fleet.chat import ChatFailedError
from rocm_pipeline.fleet.circuits import State
from rocm_pipeline.planning.plan import Role
from tests.fleet.ollama_server import Reply, answers
from tests.fleet.worlds import (
    CODER,
    LATER,
    LLAMA,
    PATIENT,
    SECOND,
    World,
    at_rate,
    error,
    request,
    then,
)


def test_09_a_prompt_that_the_server_cut_is_no_answer(world: World) -> None:
    script = world.add("alpha", answers("invented", prompt_eval_count=20))
    with pytest.raises(ChatFailedError, match="TRUNCATED_PROMPT"):
        world.fleet().chat(request(prompt="x" * 4_000))
    assert (script.chats[0]["truncate"], script.chats[0]["shift"]) == (False, False)


def test_10_a_cut_answer_is_never_used(world: World) -> None:
    world.add("alpha", answers("half a kern", done_reason="length"))
    with pytest.raises(ChatFailedError, match="TRUNCATED") as caught:
        world.fleet().chat(request())
    assert caught.value.unusable_answer is not None


def test_11_a_stream_without_its_end_is_asked_for_elsewhere(world: World) -> None:
    def breaks(reply: Reply, body: dict[str, Any]) -> None:
        reply.start_stream()
        reply.token("half", body["model"])

    world.add("alpha", breaks)
    world.add("beta", answers("whole"))
    assert world.fleet().chat(request()).text == "whole"
    assert world.outcomes == ["INCOMPLETE", "OK"]


def test_12_an_error_inside_the_stream_is_an_error(world: World) -> None:
    def fails(reply: Reply, body: dict[str, Any]) -> None:
        reply.start_stream()
        reply.token("half", body["model"])
        reply.line(error="llama runner process has terminated: out of memory")

    world.add("alpha", fails)
    world.add("beta", answers("whole"))
    assert world.fleet(LATER).chat(request()).text == "whole"
    assert world.outcomes == ["SERVER_ERROR", "OK"]
    assert world.circuits() == {("alpha", CODER): State.OPEN.value}


def test_13_a_runaway_is_cut_off_while_it_runs(world: World) -> None:
    def runs(reply: Reply, body: dict[str, Any]) -> None:
        reply.start_stream()
        for _ in range(100_000):
            reply.token("and then it says so again, ", body["model"])

    script = world.add("alpha", runs)
    begun = time.monotonic()
    with pytest.raises(ChatFailedError, match=r"DEGENERATE.*again and again"):
        world.fleet(LATER).chat(request(max_tokens=2000))
    assert time.monotonic() - begun < PATIENT.total
    assert script.chats[0]["options"]["num_predict"] == 2000


def test_14_an_answer_of_the_wrong_form_is_told_to_its_author() -> None:
    foreign = AgentReply(files=(ReplyFile(path="host.cpp", text="x"),))
    with pytest.raises(ReplyError, match="not asked for"):
        parse(foreign.model_dump_json(), allowed_files(Role.KERNEL_DEV))


def test_15_an_answer_of_thoughts_alone_is_empty_and_another_model_is_asked(world: World) -> None:
    def thinks(reply: Reply, body: dict[str, Any]) -> None:
        if body["model"] == LLAMA:
            return answers("a kernel")(reply, body)
        reply.start_stream()
        message = {"role": "assistant", "content": "", "thinking": "hm"}
        reply.line(model=body["model"], message=message, done=False)
        reply.done(body["model"])
        return None

    world.add("alpha", thinks, CODER, LLAMA)
    assert world.fleet().chat(request()).model == LLAMA
    assert world.outcomes == ["EMPTY", "OK"]


def test_16_a_missing_model_closes_that_model_there_alone(world: World) -> None:
    def gone(reply: Reply, body: dict[str, Any]) -> None:
        if body["model"] == CODER:
            return error(404, f"model '{CODER}' not found")(reply, body)
        return answers("x")(reply, body)

    world.add("alpha", gone, CODER, LLAMA)
    assert world.fleet(LATER).chat(request()).model == LLAMA
    assert world.circuits() == {("alpha", CODER): State.OPEN.value}


def test_16_another_file_under_the_name_is_refused(world: World) -> None:
    script = world.add("alpha", answers("x", load_duration=SECOND))
    fleet = world.fleet(LATER)
    fleet.survey()
    script.models = {CODER: "another digest"}
    script.loaded = {CODER: (10, 10)}
    with pytest.raises(ChatFailedError, match=r"WRONG_MODEL.*another dig"):
        fleet.chat(request())


def test_17_a_model_that_runs_partly_on_the_cpu_is_avoided(world: World) -> None:
    script = world.add("alpha", at_rate(50, load_duration=SECOND))
    script.loaded = {CODER: (10, 6)}
    fleet = world.fleet(LATER)
    assert fleet.chat(request()).text == "x"
    assert world.circuits() == {("alpha", CODER): State.AVOIDED.value}
    beta = world.add("beta", at_rate(50))
    world.fleet(LATER).chat(request(seed=4))
    assert len(beta.chats) == 1


def test_17_a_collapse_of_the_token_rate_is_noticed(world: World) -> None:
    world.add("alpha", then(*[at_rate(50)] * 6, at_rate(19), at_rate(50)))
    fleet = world.fleet(LATER)
    for seed in range(6):
        fleet.chat(request(seed=seed))
    assert world.circuits() == {}
    fleet.chat(request(seed=6))
    assert world.circuits() == {("alpha", CODER): State.AVOIDED.value}


def test_18_garbage_under_200_is_no_answer_and_quarantines_the_host(world: World) -> None:
    alpha = world.add("alpha", answers(*["GGGGGGGGGG"] * 300))
    world.add("beta", answers("a kernel"))
    fleet = world.fleet(LATER)
    assert fleet.chat(request(max_tokens=2000)).text == "a kernel"
    assert fleet.chat(request(seed=4, max_tokens=2000)).text == "a kernel"
    assert world.outcomes == ["DEGENERATE", "OK", "OK"]
    assert len(alpha.chats) == 1
    assert world.circuits() == {("alpha", CODER): State.OPEN.value}


def test_19_a_model_that_does_not_fit_is_banned_there_for_a_time(world: World) -> None:
    def full(reply: Reply, body: dict[str, Any]) -> None:
        if body["model"] == CODER:
            return error(500, "model requires more system memory: out of memory")(reply, body)
        return answers("x")(reply, body)

    alpha = world.add("alpha", full, CODER, LLAMA)
    world.add("beta", answers("x"), CODER)
    fleet = world.fleet(LATER)
    for seed in range(3):
        assert fleet.chat(request(seed=seed)).model == CODER
    assert [chat["model"] for chat in alpha.chats].count(CODER) == 1
