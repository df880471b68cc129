import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet import service, transport
from rocm_pipeline.fleet.chat import ChatFailedError, ChatRequest, NoHostError, NoModelError
from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.fleet.stopping import Stop
from rocm_pipeline.fleet.transport import Answer, Call, Deadlines
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from tests.fleet.ollama_server import Reply, Script, answers, serving

QUICK = Deadlines(connect=1.0, load=0.0, first_token=0.8, stall=0.8, total=3.0)
PATIENT = Deadlines(connect=5.0, load=0.0, first_token=5.0, stall=5.0, total=20.0)
"""Where no host is slow on purpose: a busy machine may be."""
SOON = BackOff(first=0.01, longest=0.06, quarantine=0.05, patience=1.0)
CODER = "qwen2.5-coder:7b"
LLAMA = "llama3.1:8b"

Behaviour = Callable[[Reply, dict[str, Any]], None]


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))


class Servers:
    """Loopback servers with names; all of them end with the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.scripts: dict[str, Script] = {}
        self.hosts: list[Host] = []

    def add(self, name: str, behave: Behaviour, *models: str, **host: Any) -> Script:
        names = models or (CODER,)
        script = Script(behave, models={model: f"digest of {model}" for model in names})
        url = self._stack.enter_context(serving(script))
        self.scripts[name] = script
        self.hosts.append(Host(name=name, url=url, **host))
        return script

    def add_dead(self, name: str) -> None:
        with serving(Script(answers("x"))) as url:
            self.hosts.append(Host(name=name, url=url))

    def fleet(self, records: Records, deadlines: Deadlines = QUICK) -> Fleet:
        return Fleet(
            self.hosts, records.journal, records.leases, deadlines=deadlines, back_off=SOON
        )


@pytest.fixture
def servers() -> Any:
    with ExitStack() as stack:
        yield Servers(stack)


def request(**changes: Any) -> ChatRequest:
    fields: dict[str, Any] = {
        "role": "kernel_dev",
        "system": "You write kernels.",
        "prompt": "Write one.",
        "seed": 3,
        "max_tokens": 100,
        "options": {"temperature": 0.2},
        "target": "row_softmax",
        "purpose": "code",
        "plan_id": "plan-1",
        "task_id": "write_kernel",
        "run_id": "run-1",
        "round": 2,
    }
    return ChatRequest(**{**fields, **changes})


def then(*behaviours: Behaviour) -> Behaviour:
    """Behave as the first on the first call, and so on; as the last from then on."""
    left = list(behaviours)

    def behave(reply: Reply, body: dict[str, Any]) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(reply, body)

    return behave


def error(status: int, message: str = "it hurts") -> Behaviour:
    def behave(reply: Reply, _: dict[str, Any]) -> None:
        reply.whole(status, f'{{"error": "{message}"}}')

    return behave


def silence(reply: Reply, _: dict[str, Any]) -> None:
    reply.start_stream()


def outcomes(records: Records) -> list[str]:
    return [row.status for row in records.ledger.attempts()]


def test_a_reply_says_who_gave_it_and_what_it_took(servers: Servers, records: Records) -> None:
    servers.add("alpha", answers("__global__", prompt_eval_count=20, eval_count=5))
    reply = servers.fleet(records, PATIENT).chat(request())
    assert (reply.text, reply.replayed) == ("__global__", False)
    assert (reply.model, reply.digest) == (CODER, f"digest of {CODER}")
    assert reply.host == servers.hosts[0].url
    assert (reply.tokens_in, reply.tokens_out) == (20, 5)
    assert 0 < reply.seconds < 2
    (row,) = records.ledger.attempts()
    assert row.attempt_id == reply.attempt_id
    assert (row.plan_id, row.task_id, row.run_id, row.round) == (
        "plan-1",
        "write_kernel",
        "run-1",
        2,
    )
    assert (row.status, row.model_returned, row.seed) == ("OK", CODER, 3)
    assert row.t_queued <= row.t_sent <= (row.t_first or 0) <= (row.t_done or 0)


def test_an_equal_request_makes_no_second_call(servers: Servers, records: Records) -> None:
    script = servers.add("alpha", answers("__global__"))
    first = servers.fleet(records).chat(request())
    again = servers.fleet(records).chat(request(purpose="repair", run_id="run-2"))
    assert again.replayed
    assert (again.text, again.attempt_id) == (first.text, first.attempt_id)
    assert len(script.chats) == 1
    assert len(records.ledger.attempts()) == 1


def test_another_host_with_the_same_model_makes_no_second_call(
    servers: Servers, records: Records
) -> None:
    servers.add("alpha", answers("__global__"))
    servers.fleet(records).chat(request())
    servers.hosts.clear()
    beta = servers.add("beta", answers("other"))
    assert servers.fleet(records).chat(request()).replayed
    assert beta.chats == []


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"prompt": "Write two."},
        {"system": "You test."},
        {"max_tokens": 101},
        {"options": {"temperature": 0.3}},
        {"format": {"type": "object"}},
    ],
)
def test_a_request_that_differs_is_sent(
    servers: Servers, records: Records, change: dict[str, Any]
) -> None:
    script = servers.add("alpha", answers("__global__"))
    fleet = servers.fleet(records)
    fleet.chat(request())
    assert not fleet.chat(request(**change)).replayed
    assert len(script.chats) == 2


def test_a_model_that_was_pulled_anew_is_asked_again(servers: Servers, records: Records) -> None:
    script = servers.add("alpha", answers("__global__"))
    servers.fleet(records).chat(request())
    script.models[CODER] = "another digest"
    assert not servers.fleet(records).chat(request()).replayed


def test_a_damaged_answer_is_asked_for_again_and_mended(
    servers: Servers, records: Records, tmp_path: Path
) -> None:
    script = servers.add("alpha", answers("__global__"))
    fleet = servers.fleet(records)
    fleet.chat(request())
    digest = records.ledger.attempts()[0].reply_sha256 or ""
    (tmp_path / "store" / digest[:2] / digest).write_text("__host__")
    assert not fleet.chat(request()).replayed
    assert fleet.chat(request()).text == "__global__"
    assert len(script.chats) == 2


def test_one_context_window_is_asked_for_everywhere(servers: Servers, records: Records) -> None:
    script = servers.add("alpha", answers("x"))
    servers.fleet(records).chat(request(options={"temperature": 0.5, "stop": ["END"]}))
    assert script.chats[0]["options"] == {
        "temperature": 0.5,
        "stop": ["END"],
        "seed": 3,
        "num_predict": 100,
        "num_ctx": 16384,
    }
    with pytest.raises(ValueError, match="options"):
        request(options={"num_ctx": 4096})


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (error(500), "SERVER_ERROR"),
        (error(503), "SERVER_BUSY"),
        (error(404, "model not found"), "MODEL_MISSING"),
        (answers("x", after=0.8), "TIMEOUT"),
        (answers("x", model="something:else"), "WRONG_MODEL"),
        (silence, "INCOMPLETE"),
    ],
)
def test_a_host_at_fault_is_replaced_by_another(
    servers: Servers, records: Records, fault: Behaviour, outcome: str
) -> None:
    servers.add("alpha", fault)
    servers.add("beta", answers("__global__"))
    reply = servers.fleet(records).chat(request())
    assert reply.text == "__global__"
    assert outcomes(records) == [outcome, "OK"]
    assert [row.attempt_no for row in records.ledger.attempts()] == [1, 2]
    assert len(servers.scripts["alpha"].chats) == 1


def test_a_host_that_dies_between_survey_and_call_is_replaced(
    servers: Servers, records: Records
) -> None:
    with serving(Script(answers("x"), models={CODER: f"digest of {CODER}"})) as url:
        servers.hosts.append(Host(name="alpha", url=url))
        servers.add("beta", answers("__global__"))
        fleet = servers.fleet(records)
        fleet.survey(require=True)
    assert fleet.chat(request()).text == "__global__"
    assert fleet.chat(request(seed=4)).text == "__global__"
    assert outcomes(records) == ["UNREACHABLE", "OK", "OK"]


def test_a_busy_only_host_is_asked_again(servers: Servers, records: Records) -> None:
    servers.add("alpha", then(error(503), error(503), answers("__global__")))
    assert servers.fleet(records).chat(request()).text == "__global__"
    assert outcomes(records) == ["SERVER_BUSY", "SERVER_BUSY", "OK"]


class Flaky:
    """A port that refuses connections until it has been tried a number of times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusals: int) -> None:
        self.left = refusals
        self._real = transport.chat
        monkeypatch.setattr(transport, "chat", self._chat)

    def _chat(self, url: str, call: Call, deadlines: Deadlines, stop: Stop | None = None) -> Answer:
        if self.left:
            self.left -= 1
            with serving(Script(answers("x"))) as gone:
                pass
            return self._real(gone, call, deadlines, stop)
        return self._real(url, call, deadlines, stop)


def test_an_only_host_that_restarts_is_asked_again_and_not_left_alone(
    servers: Servers, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.add("alpha", answers("__global__"))
    fleet = servers.fleet(records)
    Flaky(monkeypatch, refusals=2)
    assert fleet.chat(request()).text == "__global__"
    assert fleet.chat(request(seed=4)).text == "__global__"
    assert outcomes(records) == ["UNREACHABLE", "UNREACHABLE", "OK", "OK"]


def test_an_only_host_that_stays_away_is_left_alone(
    servers: Servers, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.add("alpha", answers("__global__"))
    back_off = BackOff(first=60.0, patience=0.0)
    fleet = Fleet(
        servers.hosts, records.journal, records.leases, deadlines=QUICK, back_off=back_off
    )
    Flaky(monkeypatch, refusals=100)
    with pytest.raises(ChatFailedError, match="1 attempts") as caught:
        fleet.chat(request())
    assert caught.value.unusable_answer is None
    with pytest.raises(NoHostError, match="refuses"):
        fleet.chat(request(seed=4))
    assert outcomes(records) == ["UNREACHABLE"]


def test_an_only_host_that_hangs_is_asked_once(servers: Servers, records: Records) -> None:
    script = servers.add("alpha", answers("x", after=0.8))
    with pytest.raises(ChatFailedError, match=r"1 attempts: .*TIMEOUT"):
        servers.fleet(records).chat(request())
    assert len(script.chats) == 1


def test_attempts_are_bounded_and_each_is_told(servers: Servers, records: Records) -> None:
    script = servers.add("alpha", error(503, "too much"))
    with pytest.raises(ChatFailedError, match=r"12 attempts: .*SERVER_BUSY, too much") as caught:
        servers.fleet(records).chat(request())
    assert len(script.chats) == len(caught.value.failures) == service.MAX_CALLS == 12
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.failures == caught.value.failures


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(answers("half", done_reason="length"), "TRUNCATED"), (answers(), "EMPTY")],
)
def test_an_unusable_answer_goes_to_another_model_not_another_host(
    servers: Servers, records: Records, answer: Behaviour, outcome: str
) -> None:
    def behave(reply: Reply, body: dict[str, Any]) -> None:
        (answer if body["model"] == CODER else answers("from llama"))(reply, body)

    servers.add("alpha", behave, CODER, LLAMA)
    servers.add("beta", behave, CODER, LLAMA)
    reply = servers.fleet(records).chat(request())
    assert (reply.text, reply.model) == ("from llama", LLAMA)
    assert outcomes(records) == [outcome, "OK"]


def test_an_unusable_answer_of_the_only_model_fails_and_is_not_replayed(
    servers: Servers, records: Records
) -> None:
    servers.add("alpha", then(answers("half", done_reason="length"), answers("whole")))
    fleet = servers.fleet(records)
    with pytest.raises(ChatFailedError) as caught:
        fleet.chat(request())
    assert [f.outcome for f in caught.value.failures] == [Outcome.TRUNCATED]
    fault = caught.value.unusable_answer
    assert fault is not None
    assert (fault.model, fault.host, fault.tokens_out) == (CODER, servers.hosts[0].url, 2)
    assert fleet.chat(request()).text == "whole"


def test_the_role_decides_the_model(servers: Servers, records: Records) -> None:
    servers.add("alpha", answers("x"), LLAMA, CODER, "nomic-embed-text:latest")
    fleet = servers.fleet(records)
    assert fleet.models_for("kernel_dev") == (CODER, LLAMA)
    assert fleet.models_for("docs_writer") == (LLAMA, CODER)


def test_the_larger_of_two_tags_comes_first(servers: Servers, records: Records) -> None:
    big = "qwen2.5-coder:32b"
    script = servers.add("alpha", answers("x"), CODER, big)
    script.sizes = {CODER: 4, big: 20}
    assert servers.fleet(records).models_for("kernel_dev") == (big, CODER)


def test_a_model_that_no_role_names_is_better_than_none(servers: Servers, records: Records) -> None:
    servers.add("alpha", answers("x"), "my-own:latest", "nomic-embed-text:latest")
    assert servers.fleet(records).models_for("kernel_dev") == ("my-own:latest",)


def test_a_host_with_a_list_is_asked_for_nothing_else(servers: Servers, records: Records) -> None:
    servers.add(
        "embedded",
        answers("x"),
        CODER,
        "rocm-pipeline/templates",
        models=("rocm-pipeline/templates",),
    )
    fleet = servers.fleet(records)
    assert fleet.models_for("kernel_dev") == ("rocm-pipeline/templates",)
    assert fleet.chat(request()).model == "rocm-pipeline/templates"


def test_a_host_with_roles_works_for_these_alone(servers: Servers, records: Records) -> None:
    servers.add("alpha", answers("x"), roles=("tester",))
    fleet = servers.fleet(records)
    assert fleet.models_for("tester") == (CODER,)
    with pytest.raises(NoModelError, match="'kernel_dev'"):
        fleet.chat(request())


def test_a_second_opinion_comes_from_another_model(servers: Servers, records: Records) -> None:
    servers.add("alpha", answers("x"), CODER, LLAMA)
    fleet = servers.fleet(records)
    writer = fleet.chat(request())
    reviewer = fleet.chat(request(), exclude_models=[writer.model])
    assert (writer.model, reviewer.model) == (CODER, LLAMA)
    assert fleet.chat(request(seed=9), exclude_models=[writer.digest]).model == LLAMA
    with pytest.raises(NoModelError, match="other than"):
        fleet.chat(request(), exclude_models=[CODER, LLAMA])


def test_a_dead_server_is_one_clear_line(servers: Servers, records: Records) -> None:
    servers.add_dead("alpha")
    fleet = servers.fleet(records)
    with pytest.raises(UserError) as caught:
        fleet.survey(require=True)
    line = str(caught.value)
    assert "\n" not in line
    assert "'alpha'" in line
    assert servers.hosts[0].url in line
    assert "ollama serve" in line
    with pytest.raises(UserError, match="alpha"):
        fleet.chat(request())
    assert records.ledger.attempts() == []


def test_a_server_without_models_is_one_clear_line(servers: Servers, records: Records) -> None:
    script = servers.add("alpha", answers("x"))
    script.models = {}
    with pytest.raises(UserError, match="has no models"):
        servers.fleet(records).survey(require=True)


def test_a_dead_host_among_living_ones_is_reported_and_left_alone(
    servers: Servers, records: Records
) -> None:
    servers.add_dead("alpha")
    servers.add("beta", answers("__global__"))
    fleet = servers.fleet(records)
    dead, living = fleet.survey(require=True)
    assert "refuses" in dead.error
    assert [model.name for model in living.models] == [CODER]
    assert fleet.chat(request()).text == "__global__"
    assert outcomes(records) == ["OK"]


def test_no_host_gets_more_at_once_than_it_has_slots(servers: Servers, records: Records) -> None:
    alpha = servers.add("alpha", answers("x", after=0.1), slots=1)
    beta = servers.add("beta", answers("x", after=0.1), slots=2)
    fleet = servers.fleet(records)
    with ThreadPoolExecutor(9) as pool:
        replies = list(pool.map(fleet.chat, [request(seed=seed) for seed in range(9)]))
    assert len({reply.attempt_id for reply in replies}) == 9
    assert alpha.most_running <= 1
    assert beta.most_running <= 2
    assert len(alpha.chats) + len(beta.chats) == 9


def test_a_slot_is_free_again_after_a_failure(servers: Servers, records: Records) -> None:
    servers.add("alpha", then(answers(), answers("__global__")))
    fleet = servers.fleet(records)
    with pytest.raises(ChatFailedError):
        fleet.chat(request())
    done = threading.Event()

    def ask() -> None:
        fleet.chat(request())
        done.set()

    threading.Thread(target=ask, daemon=True).start()
    assert done.wait(5)


def test_a_call_that_is_interrupted_is_on_record(
    servers: Servers, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.add("alpha", answers("x"))
    fleet = servers.fleet(records)
    fleet.survey()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rocm_pipeline.fleet.transport.chat", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fleet.chat(request())
    assert outcomes(records) == ["CANCELLED"]
