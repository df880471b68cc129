"""The stand-in of Claude is what the SDK takes Claude to be, and its account adds up."""

import json
import threading
from collections.abc import Generator
from types import UnionType
from typing import Any, Union, get_args, get_origin

import anthropic
import httpx2
import pytest
from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse
from anthropic.types.shared import ErrorResponse
from pydantic import BaseModel, TypeAdapter

from tests.standins.claude import (
    KEY,
    Accepts,
    Cancels,
    Charge,
    Ending,
    Expires,
    Fails,
    Lost,
    Refuses,
    Request,
    Says,
    StandIn,
    Then,
    UsesTool,
    count,
    in_turn,
    says,
    serving,
    slow,
)

MODEL = "claude-opus-5-5"
LONG = "the shared part of every prompt " * 200
"""1600 tokens: over the least prefix that is cached."""


def client_of(server: StandIn) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0)


def ask(client: anthropic.Anthropic, prompt: str = "hello", **more: Any) -> Message:
    arguments: dict[str, Any] = {"model": MODEL, "max_tokens": 100, **more}
    return client.messages.create(messages=[{"role": "user", "content": prompt}], **arguments)


def body_of(prompt: str = "hello", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": MODEL, "max_tokens": 100, "messages": messages, **more}


def raw(server: StandIn, path: str, body: dict[str, Any] | None = None) -> httpx2.Response:
    headers = {"anthropic-version": "2026-10-21", "Authorization": f"Bearer {KEY}"}
    method = "GET" if body is None else "POST"
    return httpx2.request(method, server.url + path, json=body, headers=headers)


def assert_exactly(form: Any, body: Any) -> None:
    """Assert that the SDK's type takes the body, and that no field is missing or unknown."""
    value = TypeAdapter(form).validate_json(json.dumps(body), strict=True)
    _assert_fields(value, body, "body")


def _assert_fields(value: Any, body: Any, where: str) -> None:
    if isinstance(value, BaseModel):
        assert set(body) == set(type(value).model_fields), where
        for name in body:
            _assert_fields(getattr(value, name), body[name], f"{where}.{name}")
            _assert_named(type(value).model_fields[name].annotation, body[name], f"{where}.{name}")
    elif isinstance(value, list):
        for index, (item, inner) in enumerate(zip(value, body, strict=True)):
            _assert_fields(item, inner, f"{where}.{index}")


def _assert_named(annotation: Any, body: Any, where: str) -> None:
    """Assert that a value is one of those a Literal names; the SDK's own models let others pass."""
    if get_origin(annotation) in (Union, UnionType):
        literals = [a for a in get_args(annotation) if str(a).startswith("typing.Literal")]
        if literals and body is not None:
            assert body in get_args(literals[0]), where
    elif str(annotation).startswith("typing.Literal"):
        assert body in get_args(annotation), where


ENDINGS: dict[str, Ending] = {
    "an answer": Says("an answer"),
    "an answer after thinking": Says("an answer", thinking_tokens=7),
    "a cut answer": Says("a long answer " * 100, limit=3),
    "a tool call": UsesTool("look", {"file": "a.hip"}),
    "a refusal": Refuses("frontier_llm"),
    "a refusal midway": Refuses(None, None, "I was about to"),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_every_answer_and_its_stream_are_exactly_the_types_of_the_sdk(ending: Ending) -> None:
    with serving(lambda _: ending) as server:
        assert_exactly(Message, raw(server, "/v1/messages", body_of()).json())
        lines = raw(server, "/v1/messages", body_of(stream=True)).text.splitlines()
        events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        named = [line[7:] for line in lines if line.startswith("event: ")]
    assert named == [event["type"] for event in events]
    for event in events:
        if event["type"] != "ping":
            assert_exactly(RawMessageStreamEvent, event)


def test_counts_batches_and_results_are_exactly_the_types_of_the_sdk() -> None:
    endings = {"a": Says("yes"), "b": Fails(500), "c": Expires(), "d": Cancels(), "e": Refuses()}
    entries = [{"custom_id": name, "params": body_of(name)} for name in endings]
    clock = Clock()
    with serving(lambda r: endings[r.prompt], batch_seconds=9, clock=clock) as server:
        counted = raw(server, "/v1/messages/count_tokens", {**body_of()}).json()
        assert_exactly(MessageTokensCount, counted)
        created = raw(server, "/v1/messages/batches", {"requests": entries}).json()
        assert_exactly(MessageBatch, created)
        assert created["request_counts"]["processing"] == len(entries)
        clock.now += 9
        ended = raw(server, f"/v1/messages/batches/{created['id']}").json()
        assert_exactly(MessageBatch, ended)
        assert ended["request_counts"] == {
            "processing": 0,
            "succeeded": 2,
            "errored": 1,
            "canceled": 1,
            "expired": 1,
        }
        results = raw(server, f"/v1/messages/batches/{created['id']}/results").text.splitlines()
        assert len(results) == len(entries)
        for line in results:
            assert_exactly(MessageBatchIndividualResponse, json.loads(line))
        page = raw(server, "/v1/messages/batches").json()
        assert [batch["id"] for batch in page["data"]] == [created["id"]]


def test_the_check_of_bodies_would_notice_a_missing_an_unknown_and_a_wrong_field() -> None:
    with serving(says("yes")) as server:
        body = raw(server, "/v1/messages", body_of()).json()
    wrong = [
        {name: value for name, value in body.items() if name != "stop_details"},
        {**body, "extra": 1},
        {**body, "stop_reason": "tired"},
        {**body, "usage": {**body["usage"], "input_tokens": "3"}},
        {**body, "usage": {**body["usage"], "service_tier": "cheap"}},
    ]
    for case in wrong:
        with pytest.raises((AssertionError, ValueError)):
            assert_exactly(Message, case)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (402, anthropic.PaymentRequiredError),
        (404, anthropic.NotFoundError),
        (408, anthropic.RequestTimeoutError),
        (409, anthropic.ConflictError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (502, anthropic.InternalServerError),
        (503, anthropic.ServiceUnavailableError),
        (504, anthropic.GatewayTimeoutError),
        (529, anthropic.OverloadedError),
    ],
)
def test_every_error_status_reaches_the_caller_as_the_sdks_own_class(
    status: int, error: type[anthropic.APIStatusError]
) -> None:
    with serving(lambda _: Fails(status, retry_after=2.5)) as server:
        with pytest.raises(error) as raised:
            ask(client_of(server))
        assert_exactly(ErrorResponse, raised.value.body)
        assert raised.value.response.headers["retry-after"] == "2.5"
        assert raised.value.request_id is not None
        assert server.tally.charged == []


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_status_may_hide_an_answer_that_was_charged(stream: bool) -> None:
    fails = Fails(503, kind="overloaded_error", after=Says("hidden"))
    with serving(lambda _: fails) as server:
        answer = raw(server, "/v1/messages", body_of(stream=stream))
        assert answer.status_code == 503
        assert_exactly(ErrorResponse, answer.json())
        assert answer.json()["error"]["type"] == "overloaded_error"
        assert [c.charge.out for c in server.tally.charged] == [count("hidden")]


def test_an_error_status_may_hide_a_batch_that_was_accepted() -> None:
    entries = [{"custom_id": "a", "params": body_of()}]
    on_batch = in_turn(Fails(502), Fails(502, after=Accepts()))
    with serving(says("yes"), on_batch=on_batch) as server:
        kept: list[int] = []
        for _ in range(2):
            answer = raw(server, "/v1/messages/batches", {"requests": entries})
            assert answer.status_code == 502
            assert_exactly(ErrorResponse, answer.json())
            kept.append(len(server.batches.kept))
    assert kept == [0, 1]


def test_the_sdk_reads_an_answer_whole_and_streamed_and_both_are_charged_as_they_say() -> None:
    with serving(says(lambda request: f"you asked: {request.prompt}")) as server:
        client = client_of(server)
        whole = ask(client, "why?")
        with client.messages.stream(
            model=MODEL, max_tokens=100, messages=[{"role": "user", "content": "why?"}]
        ) as stream:
            text = "".join(stream.text_stream)
            streamed = stream.get_final_message()
    assert text == "you asked: why?"
    assert [block.to_dict() for block in streamed.content] == [
        block.to_dict() for block in whole.content
    ]
    assert [usage_of(whole), usage_of(streamed)] == [c.charge for c in server.tally.charged]
    assert whole.usage.input_tokens == count("why?")
    assert whole.usage.output_tokens == count("you asked: why?")
    assert server.tally.duplicates == 1


def usage_of(message: Message) -> Charge:
    usage = message.usage
    assert usage.cache_creation is not None
    assert usage.output_tokens_details is not None
    return Charge(
        fresh=usage.input_tokens,
        write_5m=usage.cache_creation.ephemeral_5m_input_tokens,
        write_1h=usage.cache_creation.ephemeral_1h_input_tokens,
        read=usage.cache_read_input_tokens or 0,
        out=usage.output_tokens,
        thinking=usage.output_tokens_details.thinking_tokens,
    )


class Verdict(BaseModel):
    good: bool


def test_the_sdk_parses_a_structured_answer_by_the_schema_that_it_sent() -> None:
    def behave(request: Request) -> Ending:
        assert request.schema is not None
        assert list(request.schema["properties"]) == ["good"]
        return Says('{"good": true}')

    with serving(behave) as server:
        parsed = client_of(server).messages.parse(
            model=MODEL,
            max_tokens=100,
            messages=[{"role": "user", "content": "?"}],
            output_format=Verdict,
        )
    assert parsed.parsed_output == Verdict(good=True)


def test_a_cut_answer_ends_at_the_limit_and_says_so() -> None:
    with serving(says("word " * 1000)) as server:
        answer = ask(client_of(server), max_tokens=10)
    assert answer.stop_reason == "max_tokens"
    assert answer.usage.output_tokens == 10
    assert answer.content[0].to_dict()["text"] == ("word " * 1000)[:40]


def test_thinking_counts_as_output_and_towards_the_limit() -> None:
    with serving(in_turn(Says("abcd", thinking_tokens=5), Says("abcd", thinking_tokens=500))) as s:
        some, much = ask(client_of(s)), ask(client_of(s))
    assert (some.usage.output_tokens, some.stop_reason) == (6, "end_turn")
    assert (much.usage.output_tokens, much.stop_reason) == (100, "max_tokens")
    assert much.content == []


def test_a_refusal_has_its_category_and_is_charged_for_its_prompt() -> None:
    with serving(lambda _: Refuses("frontier_llm")) as server:
        answer = ask(client_of(server))
    assert answer.stop_reason == "refusal"
    assert answer.stop_details is not None
    assert answer.stop_details.category == "frontier_llm"
    assert server.tally.total() == Charge(fresh=count("hello"))


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def cached(text: str, **more: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral", **more}}


def charges(
    server: StandIn, *asked: tuple[list[dict[str, Any]], str], model: str = MODEL
) -> list[Charge]:
    client = client_of(server)
    return [usage_of(ask(client, prompt, system=system, model=model)) for system, prompt in asked]


def test_a_shared_prefix_is_written_once_and_read_from_then_on() -> None:
    with serving(says("ok")) as server:
        first, second = charges(server, ([cached(LONG)], "one"), ([cached(LONG)], "other"))
    assert first == Charge(write_5m=count(LONG), fresh=count("one"), out=1)
    assert second == Charge(read=count(LONG), fresh=count("other"), out=1)


def test_a_prefix_below_the_minimum_is_silently_not_cached() -> None:
    with serving(says("ok"), minimum_prefix=count(LONG) + 1) as server:
        for charge in charges(server, ([cached(LONG)], "one"), ([cached(LONG)], "one")):
            assert charge == Charge(fresh=count(LONG) + count("one"), out=1)


def test_a_prefix_is_forgotten_after_its_time_and_renewed_by_every_read(clock: Clock) -> None:
    with serving(says("ok"), clock=clock) as server:
        reads: list[bool] = []
        for wait in (0, 299, 299, 301):
            clock.now += wait
            (charge,) = charges(server, ([cached(LONG)], "one"))
            reads.append(charge.read > 0)
        hour = [cached(LONG + "hour", ttl="1h")]
        charges(server, (hour, "one"))
        clock.now += 3599
        (late,) = charges(server, (hour, "one"))
    assert reads == [False, True, True, False]
    assert late.read == count(LONG + "hour")


def test_each_lifetime_is_written_apart_and_only_what_is_new() -> None:
    system = [cached(LONG, ttl="1h"), cached(LONG + "!")]
    with serving(says("ok")) as server:
        both, shorter, changed = charges(
            server, (system, "x"), (system[:1], "x"), ([system[0], cached("new")], "x")
        )
    assert (both.write_1h, both.write_5m, both.read) == (count(LONG), count(LONG + "!"), 0)
    assert (shorter.write, shorter.read) == (0, count(LONG))
    assert (changed.write_5m, changed.read) == (count("new"), count(LONG))


def test_another_text_model_or_schema_before_the_mark_is_another_prefix() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    with serving(says("ok")) as server:
        charges(server, ([cached(LONG)], "x"))
        (other_text,) = charges(server, ([cached("!" + LONG)], "x"))
        (other_model,) = charges(server, ([cached(LONG)], "x"), model="claude-haiku-5-5")
        form = {"format": {"type": "json_schema", "schema": schema}}
        answer = ask(client_of(server), "x", system=[cached(LONG)], output_config=form)
    assert other_text.read == other_model.read == usage_of(answer).read == 0


def test_what_the_api_does_not_take_is_an_error_and_costs_nothing() -> None:
    loose = {"type": "object", "properties": {}}
    bounded = {
        "type": "object",
        "properties": {"minimum": {"type": "integer", "minimum": 1}},
        "additionalProperties": False,
    }
    wrong: list[dict[str, Any]] = [
        {"extra_body": {"temperature": 0.5}},
        {"system": [cached(LONG)] * 5},
        {"system": [cached(LONG), cached(LONG, ttl="1h")]},
        {"system": [cached("")]},
        {"output_config": {"format": {"type": "json_schema", "schema": loose}}},
        {"output_config": {"format": {"type": "json_schema", "schema": bounded}}},
    ]
    with serving(says("ok")) as server:
        for more in wrong:
            with pytest.raises(anthropic.BadRequestError):
                ask(client_of(server), **more)
        stranger = anthropic.Anthropic(api_key="other", base_url=server.url, max_retries=0)
        with pytest.raises(anthropic.AuthenticationError):
            ask(stranger)
        assert server.tally.charged == []


def test_a_connection_lost_before_the_charge_costs_nothing_and_after_it_the_whole_answer() -> None:
    with serving(in_turn(Lost(), Lost(Says("lost")), Says("kept"))) as server:
        for _ in range(2):
            with pytest.raises(anthropic.APIConnectionError):
                ask(client_of(server))
        assert [c.charge.out for c in server.tally.charged] == [count("lost")]
        ask(client_of(server))
        assert server.tally.duplicates == 1


@pytest.mark.parametrize(
    ("lost", "error"),
    [
        (Lost(Says("text " * 30), events=4), httpx2.TransportError),
        (Lost(Says("text " * 30), events=4, error=Fails(529)), anthropic.APIStatusError),
    ],
)
def test_a_stream_that_breaks_off_is_seen_as_broken(lost: Lost, error: type[Exception]) -> None:
    def read(client: anthropic.Anthropic) -> None:
        with client.messages.stream(
            model=MODEL, max_tokens=100, messages=[{"role": "user", "content": "x"}]
        ) as stream:
            stream.until_done()

    with serving(lambda _: lost) as server:
        with pytest.raises((error, anthropic.APIConnectionError)):
            read(client_of(server))
        assert len(server.tally.charged) == 1


def test_a_charged_answer_may_wait_until_the_caller_has_given_up() -> None:
    charged = threading.Event()
    with serving(lambda _: Then(Says("late"), charged.set)) as server:
        ask(client_of(server))
        assert charged.is_set()
        server.behaviour = lambda _: slow(0.5, Says("late"))
        with pytest.raises(anthropic.APITimeoutError):
            ask(client_of(server), timeout=0.1)
        assert len(server.tally.charged) == 2


def entry(name: str) -> Any:
    return {"custom_id": name, "params": body_of(name)}


@pytest.fixture
def batch_server(clock: Clock) -> Generator[StandIn, None, None]:
    with serving(says(lambda r: r.prompt.upper()), batch_seconds=60, clock=clock) as server:
        yield server


def test_a_batch_ends_when_it_is_due_and_its_results_come_in_another_order(
    batch_server: StandIn, clock: Clock
) -> None:
    batches = client_of(batch_server).messages.batches
    created = batches.create(requests=[entry("a"), entry("b")])
    with pytest.raises(anthropic.AnthropicError):
        batches.results(created.id)
    assert batch_server.tally.charged == []
    clock.now += 60
    results = {line.custom_id: line.result for line in batches.results(created.id)}
    assert list(results) == ["b", "a"]
    first = results["a"]
    assert first.type == "succeeded"
    assert first.message.usage.service_tier == "batch"
    assert batch_server.tally.of("a") == usage_of(first.message)
    assert batch_server.tally.total("standard") == Charge()
    list(batches.results(created.id))
    assert len(batch_server.tally.charged) == 2


def test_a_cancelled_batch_ends_with_nothing_charged(batch_server: StandIn) -> None:
    batches = client_of(batch_server).messages.batches
    created = batches.create(requests=[entry("a")])
    assert batches.cancel(created.id).processing_status == "canceling"
    assert batches.retrieve(created.id).request_counts.canceled == 1
    assert [line.result.type for line in batches.results(created.id)] == ["canceled"]
    assert batch_server.tally.charged == []


def test_batches_are_listed_newest_first_over_several_pages(batch_server: StandIn) -> None:
    batches = client_of(batch_server).messages.batches
    ids = [batches.create(requests=[entry("a")]).id for _ in range(5)]
    assert [batch.id for batch in batches.list(limit=2)] == ids[::-1]


def test_a_batch_may_be_accepted_although_its_sender_never_hears_of_it(
    batch_server: StandIn,
) -> None:
    batch_server.on_batch = in_turn(Lost(), Lost(Accepts()), Fails(529), Accepts())
    batches = client_of(batch_server).messages.batches
    for expected in (anthropic.APIConnectionError,) * 2 + (anthropic.OverloadedError,):
        with pytest.raises(expected):
            batches.create(requests=[entry("a")])
    assert len(list(batches.list())) == 1


@pytest.mark.parametrize("names", [["a", "a"], ["spaces are not"], ["x" * 65], []])
def test_a_batch_with_bad_names_is_not_accepted(batch_server: StandIn, names: list[str]) -> None:
    with pytest.raises(anthropic.BadRequestError):
        client_of(batch_server).messages.batches.create(requests=[entry(name) for name in names])
    assert batch_server.batches.kept == []
