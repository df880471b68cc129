"""The embedded agent's server, called by the real Ollama client."""

import asyncio
import http.client
import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import ollama
import pytest

from rocm_pipeline.agents.brief import Brief
from rocm_pipeline.agents.embedded import MODEL, EmbeddedServer, model_digest
from rocm_pipeline.agents.embedded.model import NOT_A_MODEL
from rocm_pipeline.agents.parser import parse
from rocm_pipeline.agents.prompts import render
from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.agents.roles import allowed_files
from rocm_pipeline.planning.plan import Role

MakeBrief = Callable[..., Brief]


@pytest.fixture
def messages(brief: MakeBrief) -> list[ollama.Message]:
    prompt = render(Role.KERNEL_DEV, brief(Role.KERNEL_DEV))
    return [
        ollama.Message(role="system", content=prompt.system),
        ollama.Message(role="user", content=prompt.user),
    ]


def _check_counts(answer: ollama.ChatResponse | ollama.GenerateResponse, text: str) -> None:
    assert answer.done is True
    assert answer.eval_count == -(-len(text) // 4)
    for figure in (answer.prompt_eval_count, answer.prompt_eval_duration, answer.eval_duration):
        assert figure is not None
        assert figure > 0
    assert answer.total_duration is not None
    assert answer.load_duration is not None
    assert answer.eval_duration is not None
    assert answer.total_duration >= answer.eval_duration


def test_it_listens_on_loopback_alone_and_says_it_is_running(server: EmbeddedServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert httpx.get(server.url).text == "Ollama is running"
    assert httpx.head(server.url).status_code == 200
    assert httpx.get(f"{server.url}/api/version").json()["version"]


def test_it_lists_itself_with_the_digest_of_its_code(client: ollama.Client) -> None:
    (model,) = client.list().models
    assert model.model == MODEL
    assert model.digest == model_digest()
    assert len(model_digest()) == 64
    assert model.size is not None
    assert model.size > 10_000


def test_it_says_that_it_is_no_language_model(client: ollama.Client) -> None:
    shown = client.show(MODEL)
    assert NOT_A_MODEL in (shown.modelfile or "")
    assert shown.modelinfo is not None
    assert shown.modelinfo["general.parameter_count"] == 0
    assert shown.modelinfo["templates.context_length"] > 100_000
    assert shown.capabilities == ["completion"]


def test_a_chat_is_answered_whole_with_counts(
    client: ollama.Client, messages: list[ollama.Message]
) -> None:
    answer = client.chat(MODEL, messages)
    text = answer.message.content or ""
    assert answer.done_reason == "stop"
    assert answer.model == MODEL
    _check_counts(answer, text)
    read = sum(len(message.content or "") for message in messages)
    assert answer.prompt_eval_count == -(-read // 4)
    assert len(parse(text, allowed_files(Role.KERNEL_DEV)).files) == 2


def test_a_streamed_chat_gives_the_same_text_in_pieces(
    client: ollama.Client, messages: list[ollama.Message]
) -> None:
    whole = client.chat(MODEL, messages, options={"seed": 5})
    parts = list(client.chat(MODEL, messages, options={"seed": 5}, stream=True))
    assert len(parts) > 5
    assert not any(part.done for part in parts[:-1])
    assert "".join(part.message.content or "" for part in parts) == whole.message.content
    _check_counts(parts[-1], whole.message.content or "")


@pytest.mark.parametrize("stream", [False, True])
def test_the_time_of_working_out_an_answer_is_that_of_its_tokens(
    client: ollama.Client, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    """A fleet learns from it how many tokens a second come from a host."""

    def slow_read(_: str) -> None:
        time.sleep(0.05)

    def slow_answer(*_: object) -> Reply:
        time.sleep(0.1)
        return Reply(explanation="at last")

    monkeypatch.setattr("rocm_pipeline.agents.embedded.service.read_question", slow_read)
    monkeypatch.setattr("rocm_pipeline.agents.embedded.service.answer", slow_answer)
    if stream:
        *_, last = client.generate(MODEL, "x", stream=True)
    else:
        last = client.generate(MODEL, "x")
    assert last.prompt_eval_duration is not None
    assert last.eval_duration is not None
    assert last.total_duration is not None
    assert last.prompt_eval_duration >= 0.05e9
    assert last.eval_duration >= 0.1e9
    assert last.total_duration >= last.prompt_eval_duration + last.eval_duration


def test_generate_answers_like_chat(client: ollama.Client, messages: list[ollama.Message]) -> None:
    chat = client.chat(MODEL, messages, options={"seed": 5})
    system, prompt = (message.content or "" for message in messages)
    whole = client.generate(MODEL, prompt, system=system, options={"seed": 5})
    parts = list(client.generate(MODEL, prompt, system=system, options={"seed": 5}, stream=True))
    assert whole.response == chat.message.content
    assert "".join(part.response or "" for part in parts) == whole.response
    _check_counts(whole, whole.response or "")
    _check_counts(parts[-1], whole.response or "")


def test_the_async_client_works(server: EmbeddedServer, messages: list[ollama.Message]) -> None:
    async def ask() -> tuple[str, str]:
        client = ollama.AsyncClient(host=server.url)
        whole = await client.chat(MODEL, messages)
        pieces = await client.chat(MODEL, messages, stream=True)
        return whole.message.content or "", "".join(
            [part.message.content or "" async for part in pieces]
        )

    whole, joined = asyncio.run(ask())
    assert whole == joined != ""


def test_an_answer_is_cut_at_num_predict_and_says_length(
    client: ollama.Client, messages: list[ollama.Message]
) -> None:
    whole = client.chat(MODEL, messages).message.content or ""
    for stream in (False, True):
        options = {"num_predict": 17}
        if stream:
            parts = list(client.chat(MODEL, messages, options=options, stream=True))
            last, text = parts[-1], "".join(part.message.content or "" for part in parts)
        else:
            last = client.chat(MODEL, messages, options=options)
            text = last.message.content or ""
        assert last.done_reason == "length"
        assert last.eval_count == 17
        assert text == whole[: 17 * 4]


def test_a_stop_text_ends_an_answer(client: ollama.Client, messages: list[ollama.Message]) -> None:
    answer = client.chat(MODEL, messages, options={"stop": ["### EXPLANATION"]})
    assert answer.done_reason == "stop"
    assert "### EXPLANATION" not in (answer.message.content or "")


def test_equal_questions_and_seeds_get_equal_answers(
    client: ollama.Client, messages: list[ollama.Message]
) -> None:
    texts = {client.chat(MODEL, messages, options={"seed": 7}).message.content for _ in range(3)}
    assert len(texts) == 1


def test_json_is_the_reply_as_json(client: ollama.Client, messages: list[ollama.Message]) -> None:
    schema = Reply.model_json_schema()
    as_text = parse(client.chat(MODEL, messages).message.content or "")
    for wanted in ("json", schema):
        answer = client.chat(MODEL, messages, format=wanted)
        assert Reply.model_validate_json(answer.message.content or "").files == as_text.files


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"verdict": {}}, "required": ["verdict"]},
        {"type": "object", "properties": {"explanation": {"type": "integer"}}},
        {
            "type": "object",
            "properties": {"explanation": {"type": "string"}},
            "required": ["explanation"],
            "additionalProperties": False,
        },
        {**Reply.model_json_schema(), "maxProperties": 1},
        {"required": 5},
        {"required": [["a"]]},
    ],
)
def test_a_schema_it_cannot_fill_is_refused(client: ollama.Client, schema: dict[str, Any]) -> None:
    with pytest.raises(ollama.ResponseError, match="fills no schema but its own") as error:
        client.generate(MODEL, "x", format=schema)
    assert error.value.status_code == 400


def test_a_health_probe_is_answered(client: ollama.Client) -> None:
    answer = client.chat(MODEL, [{"role": "user", "content": "Hi"}], options={"num_predict": 1})
    assert answer.eval_count == 1
    whole = client.chat(MODEL, [{"role": "user", "content": "Hi"}]).message.content or ""
    assert NOT_A_MODEL in whole
    assert parse(whole).files == ()


def test_loading_and_unloading_shows_in_ps(client: ollama.Client) -> None:
    assert client.ps().models == []
    loaded = client.generate(MODEL, "", keep_alive="1h30m", options={"num_ctx": 8192})
    assert loaded.done_reason == "load"
    (model,) = client.ps().models
    assert model.model == MODEL
    assert model.digest == model_digest()
    assert model.context_length == 8192
    assert model.size_vram == 0
    assert model.expires_at is not None
    left = model.expires_at - datetime.now(timezone.utc)
    assert timedelta(minutes=89) < left <= timedelta(minutes=90)

    assert client.generate(MODEL, "", keep_alive=0).done_reason == "unload"
    assert client.ps().models == []
    client.chat(MODEL, [{"role": "user", "content": "Hi"}], keep_alive=-1)
    assert len(client.ps().models) == 1


def test_it_unloads_when_its_time_is_over(client: ollama.Client) -> None:
    client.generate(MODEL, "", keep_alive="50ms")
    time.sleep(0.1)
    assert client.ps().models == []


def test_a_name_without_its_tag_means_latest(client: ollama.Client) -> None:
    assert client.show(MODEL.removesuffix(":latest")).modelfile


@pytest.mark.parametrize("name", ["llama3", "rocm-pipeline/templates:other", "templates"])
def test_an_unknown_model_is_not_found(client: ollama.Client, name: str) -> None:
    for call in (
        lambda: client.show(name),
        lambda: client.generate(name, "x"),
        lambda: client.chat(name, [{"role": "user", "content": "x"}]),
        lambda: list(client.generate(name, "x", stream=True)),
    ):
        with pytest.raises(ollama.ResponseError, match="not found") as error:
            call()
        assert error.value.status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/chat", b"{not json", 400),
        ("/api/chat", b"[1]", 400),
        ("/api/chat", b"{}", 400),
        ("/api/chat", json.dumps({"model": MODEL, "messages": "x"}).encode(), 400),
        ("/api/chat", json.dumps({"model": MODEL, "think": True}).encode(), 400),
        ("/api/chat", json.dumps({"model": MODEL, "tools": [{}]}).encode(), 400),
        ("/api/generate", json.dumps({"model": MODEL, "options": {"seed": "x"}}).encode(), 400),
        ("/api/generate", json.dumps({"model": MODEL, "keep_alive": "soon"}).encode(), 400),
        ("/api/generate", json.dumps({"model": MODEL, "prompt": "x", "format": 3}).encode(), 400),
        (
            "/api/generate",
            json.dumps({"model": MODEL, "prompt": "x", "images": ["x"]}).encode(),
            400,
        ),
        ("/api/embed", b"{}", 501),
        ("/nowhere", b"{}", 404),
        ("/api/chat", b"[" * 100_000, 400),
    ],
)
def test_a_bad_request_gets_its_status_and_a_reason(
    server: EmbeddedServer, path: str, body: bytes, status: int
) -> None:
    answer = httpx.post(f"{server.url}{path}", content=body)
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "field",
    [
        '"options": {"seed": 1e400}',
        '"options": {"num_ctx": 1e400}',
        '"keep_alive": 1e30',
        '"keep_alive": -1e400',
        '"keep_alive": NaN',
        f'"keep_alive": 1{"0" * 400}',
        '"keep_alive": "99999999h"',
    ],
)
def test_a_number_out_of_range_is_a_bad_request(server: EmbeddedServer, field: str) -> None:
    body = f'{{"model": "{MODEL}", "prompt": "x", {field}}}'
    answer = httpx.post(f"{server.url}/api/generate", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_prompt_beyond_num_ctx_is_refused_not_cut(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="exceeds num_ctx 64") as error:
        client.generate(MODEL, "word " * 100, options={"num_ctx": 64})
    assert error.value.status_code == 400


def test_a_body_beyond_the_limit_is_refused_unread(server: EmbeddedServer) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/api/chat")
    connection.putheader("Content-Length", str(1 << 40))
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_a_client_that_hangs_up_does_not_disturb_others(
    server: EmbeddedServer, client: ollama.Client, messages: list[ollama.Message]
) -> None:
    body = json.dumps(
        {"model": MODEL, "messages": [message.model_dump() for message in messages]}
    ).encode()
    host, port = server.url.removeprefix("http://").split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            head = f"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
    assert client.chat(MODEL, messages).done is True


def test_a_defect_of_its_own_is_a_500_and_the_server_lives_on(
    client: ollama.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Reply:
        raise RuntimeError("planted")

    with monkeypatch.context() as patch:
        patch.setattr("rocm_pipeline.agents.embedded.service.answer", broken)
        with pytest.raises(ollama.ResponseError, match="embedded agent failed") as error:
            client.generate(MODEL, "x")
    assert error.value.status_code == 500
    assert client.generate(MODEL, "x").done is True


def test_many_at_once_are_all_answered(
    server: EmbeddedServer, messages: list[ollama.Message]
) -> None:
    def ask(_: int) -> str:
        return ollama.Client(host=server.url).chat(MODEL, messages).message.content or ""

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(24)))
    assert len(set(answers)) == 1


def test_leaving_the_block_closes_the_port_at_once() -> None:
    with EmbeddedServer() as server:
        connection = httpx.Client(base_url=server.url)
        connection.get("/")
        start = time.monotonic()
    assert time.monotonic() - start < 2
    with pytest.raises(httpx.TransportError):
        httpx.get(server.url, timeout=2)
    connection.close()
