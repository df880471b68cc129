import time
from dataclasses import replace
from typing import Any

import pytest

from rocm_pipeline.fleet.transport import Answer, Call, Deadlines, chat, installed
from rocm_pipeline.records.outcome import Outcome
from tests.fleet.ollama_server import DIGEST, Reply, Script, answers, serving
from tests.fleet.worlds import PATIENT, QUICK, Behaviour

CALL = Call(
    model="qwen2.5-coder:7b",
    system="You write kernels.",
    prompt="Write one.",
    options={"seed": 1, "num_predict": 50, "num_ctx": 4096},
)


def ask(behave: Behaviour, call: Call = CALL, deadlines: Deadlines = PATIENT) -> Answer:
    with serving(Script(behave)) as url:
        return chat(url, call, deadlines)


def test_a_whole_answer_comes_with_its_counts() -> None:
    answer = ask(
        answers(
            "__global__ ",
            "void k() {}",
            prompt_eval_count=30,
            eval_count=8,
            load_duration=1,
            prompt_eval_duration=2,
            eval_duration=3,
            total_duration=7,
        )
    )
    assert (answer.outcome, answer.error) == (Outcome.OK, "")
    assert answer.text == "__global__ void k() {}"
    assert answer.model == CALL.model
    assert (answer.tokens_in, answer.tokens_out) == (30, 8)
    assert (answer.load_ns, answer.prompt_ns, answer.eval_ns, answer.total_ns) == (1, 2, 3, 7)
    assert answer.t_first is not None
    assert answer.t_sent <= answer.t_first <= answer.t_done


def test_the_server_is_told_everything_and_asked_not_to_cut() -> None:
    script = Script(answers("x"))
    with serving(script) as url:
        chat(url, replace(CALL, format={"type": "object"}), PATIENT)
    assert script.chats == [
        {
            "model": CALL.model,
            "messages": [
                {"role": "system", "content": CALL.system},
                {"role": "user", "content": CALL.prompt},
            ],
            "options": CALL.options,
            "stream": True,
            "truncate": False,
            "shift": False,
            "format": {"type": "object"},
        }
    ]


def test_no_key_and_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "secret-key")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    script = Script(answers("x"))
    with serving(script) as url:
        assert chat(url, CALL, PATIENT).outcome is Outcome.OK
    assert "authorization" not in script.headers[0]
    assert "secret-key" not in str(script.headers)


def test_a_redirect_is_not_followed() -> None:
    elsewhere = Script(answers("x"))
    with serving(elsewhere) as other:

        def redirect(reply: Reply, _: dict[str, Any]) -> None:
            reply.whole(307, "", Location=f"{other}/api/chat")

        answer = ask(redirect)
    assert answer.outcome is Outcome.SERVER_ERROR
    assert elsewhere.chats == []


def test_a_refused_connection_is_unreachable() -> None:
    with serving(Script(answers("x"))) as url:
        pass
    answer = chat(url, CALL, PATIENT)
    assert answer.outcome is Outcome.UNREACHABLE
    assert "refuses" in answer.error


def test_a_name_that_nobody_knows_is_unreachable() -> None:
    assert chat("http://host.invalid:11434", CALL, PATIENT).outcome is Outcome.UNREACHABLE


def test_a_server_without_tls_is_unreachable_for_that_reason() -> None:
    with serving(Script(answers("x"))) as url:
        secure = url.replace("http:", "https:")
        answer = chat(secure, CALL, PATIENT)
        with pytest.raises(ConnectionError, match=r"TLS .*SSL"):
            installed(secure, PATIENT)
    assert answer.outcome is Outcome.UNREACHABLE
    assert "TLS" in answer.error
    assert "refuses" not in answer.error


def test_an_address_that_is_no_url_is_unreachable() -> None:
    answer = chat("http://b\u00e4r..example:11434", CALL, PATIENT)
    assert answer.outcome is Outcome.UNREACHABLE
    assert "no URL" in answer.error


def test_a_server_that_never_starts_to_answer_times_out() -> None:
    answer = ask(answers("x", after=2.0), deadlines=QUICK)
    assert answer.outcome is Outcome.TIMEOUT
    assert "first token within 0.8 s" in answer.error or "in time" in answer.error
    assert answer.seconds < 1.9


def test_a_server_that_opens_a_stream_and_sends_nothing_times_out() -> None:
    def behave(reply: Reply, _: dict[str, Any]) -> None:
        reply.start_stream()
        time.sleep(2.0)

    answer = ask(behave, deadlines=QUICK)
    assert (answer.outcome, answer.text) == (Outcome.TIMEOUT, "")
    assert answer.seconds < 1.9


def test_a_server_that_stalls_times_out_and_its_part_is_kept() -> None:
    def behave(reply: Reply, _: dict[str, Any]) -> None:
        reply.start_stream()
        reply.token("half of ")
        time.sleep(2.0)

    answer = ask(behave, deadlines=QUICK)
    assert (answer.outcome, answer.text) == (Outcome.TIMEOUT, "half of ")
    assert "further token" in answer.error


def test_a_server_that_drips_for_ever_meets_the_total_deadline() -> None:
    def behave(reply: Reply, _: dict[str, Any]) -> None:
        reply.start_stream()
        for _turn in range(100):
            reply.token("x")
            time.sleep(0.05)

    answer = ask(behave, deadlines=replace(PATIENT, total=1.0))
    assert answer.outcome is Outcome.TIMEOUT
    assert "no end within 1 s" in answer.error
    assert 0 < len(answer.text) < 100
    assert answer.seconds < 4.0


def test_a_stream_without_its_final_record_is_incomplete() -> None:
    def behave(reply: Reply, _: dict[str, Any]) -> None:
        reply.start_stream()
        reply.token("half")

    answer = ask(behave)
    assert (answer.outcome, answer.text) == (Outcome.INCOMPLETE, "half")


def test_a_connection_that_breaks_off_is_incomplete() -> None:
    def behave(reply: Reply, _: dict[str, Any]) -> None:
        reply.send_response(200)
        reply.send_header("Content-Length", "100000")
        reply.end_headers()
        reply.token("half")
        reply.close_connection = True

    assert ask(behave).outcome is Outcome.INCOMPLETE


def whole(status: int, text: str) -> Behaviour:
    def behave(reply: Reply, _: dict[str, Any]) -> None:
        reply.whole(status, text)

    return behave


@pytest.mark.parametrize(
    ("status", "text", "outcome"),
    [
        (404, '{"error":"model \\"qwen2.5-coder:7b\\" not found"}', Outcome.MODEL_MISSING),
        (404, "<html>nothing here</html>", Outcome.SERVER_ERROR),
        (503, '{"error":"server busy, please try again"}', Outcome.SERVER_BUSY),
        (429, '{"error":"slow down"}', Outcome.RATE_LIMITED),
        (500, '{"error":"llama runner process has terminated"}', Outcome.SERVER_ERROR),
        (502, "<html><body>Bad Gateway</body></html>", Outcome.SERVER_ERROR),
        (
            400,
            '{"error":"the input length exceeds the context length"}',
            Outcome.TRUNCATED_PROMPT,
        ),
        (400, '{"error":"invalid options"}', Outcome.SERVER_ERROR),
        (500, '["not", "an object"]', Outcome.SERVER_ERROR),
        (500, '{"error": {"message": "of another API"}}', Outcome.SERVER_ERROR),
        (500, '{"error": null}', Outcome.SERVER_ERROR),
        (200, "<html>a login page</html>", Outcome.SERVER_ERROR),
        (200, '["not", "an object"]\n', Outcome.SERVER_ERROR),
        (200, '{"another": "protocol"}\n', Outcome.SERVER_ERROR),
        (200, "", Outcome.INCOMPLETE),
    ],
)
def test_what_a_server_says_instead_of_an_answer_is_told_apart(
    status: int, text: str, outcome: Outcome
) -> None:
    answer = ask(whole(status, text))
    assert answer.outcome is outcome
    assert answer.error
    assert "\n" not in answer.error


def test_a_status_without_words_is_told_as_such() -> None:
    assert ask(whole(500, "")).error == "it answered with status 500"


def test_an_error_inside_the_stream_is_an_error() -> None:
    def behave(reply: Reply, _: dict[str, Any]) -> None:
        reply.start_stream()
        reply.token("half")
        reply.line(error="CUDA error: out of memory")

    answer = ask(behave)
    assert answer.outcome is Outcome.SERVER_ERROR
    assert "out of memory" in answer.error
    assert answer.text == "half"


def test_a_long_error_is_shortened() -> None:
    assert len(ask(whole(500, "x" * 5000)).error) < 300


@pytest.mark.parametrize(
    ("behave", "outcome"),
    [
        (answers("half of a file", done_reason="length"), Outcome.TRUNCATED),
        (answers(), Outcome.EMPTY),
        (answers(" \n"), Outcome.EMPTY),
        (answers("x", model="llama3.1:8b"), Outcome.WRONG_MODEL),
        (answers("x", model=None), Outcome.WRONG_MODEL),
    ],
)
def test_an_answer_that_cannot_be_used_is_not_ok(behave: Behaviour, outcome: Outcome) -> None:
    answer = ask(behave)
    assert answer.outcome is outcome
    assert answer.error


def test_a_model_without_a_tag_is_the_latest() -> None:
    behave = answers("x", model="tiny:latest")
    assert ask(behave, replace(CALL, model="tiny")).outcome is Outcome.OK


def test_a_prompt_that_the_server_cut_is_noticed() -> None:
    long = replace(CALL, prompt="load the tile " * 1000)
    assert ask(answers("x", prompt_eval_count=3500), long).outcome is Outcome.OK
    assert ask(answers("x", prompt_eval_count=1000), long).outcome is Outcome.TRUNCATED_PROMPT


def test_a_server_that_sends_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rocm_pipeline.fleet.transport.MAX_ANSWER_CHARACTERS", 1000)
    assert ask(answers(*["x" * 100] * 20)).outcome is Outcome.SERVER_ERROR


def test_the_models_of_a_server_come_with_their_digests() -> None:
    script = Script(answers("x"), sizes={"qwen2.5-coder:7b": 4_000})
    with serving(script) as url:
        (model,) = installed(url, PATIENT)
    assert (model.name, model.digest, model.bytes) == ("qwen2.5-coder:7b", DIGEST, 4000)
    with pytest.raises(ConnectionError, match="refuses"):
        installed(url, PATIENT)


def test_json_nested_too_deeply_is_no_answer() -> None:
    assert ask(whole(200, "[" * 100_000 + "\n")).outcome is Outcome.SERVER_ERROR


def endless(content: bytes, **headers: str) -> Behaviour:
    """Sends the same again and again until nobody listens."""

    def behave(reply: Reply, _: dict[str, Any]) -> None:
        reply.send_response(int(headers.pop("status", "200")))
        for name, value in headers.items():
            reply.send_header(name, value)
        reply.end_headers()
        while True:
            reply.wfile.write(content)

    return behave


def test_an_answer_read_whole_ends_at_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rocm_pipeline.fleet.bounded_http.MAX_BYTES", 10_000)
    models = {f"model-{number}": DIGEST for number in range(100)}
    with (
        serving(Script(answers("x"), models=models)) as url,
        pytest.raises(ConnectionError, match="sent more than 10000 bytes"),
    ):
        installed(url, PATIENT)


@pytest.mark.parametrize(
    "behave", [endless(b" " * 65536), endless(b" \n" * 32768, status="500")], ids=["line", "error"]
)
def test_a_line_and_an_error_end_at_a_limit(
    behave: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rocm_pipeline.fleet.bounded_http.MAX_BYTES", 100_000)
    answer = ask(behave)
    assert answer.outcome is Outcome.SERVER_ERROR
    assert "sent more than 100000 bytes" in answer.error


def test_a_stream_may_be_longer_than_one_of_its_lines_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rocm_pipeline.fleet.bounded_http.MAX_BYTES", 300)
    assert ask(answers(*"abcdefghij")).text == "abcdefghij"


def test_an_answer_that_would_have_to_be_unpacked_is_refused() -> None:
    answer = ask(endless(b"x", **{"Content-Encoding": "gzip"}))
    assert answer.outcome is Outcome.SERVER_ERROR
    assert "compresses" in answer.error
