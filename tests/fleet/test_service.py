import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.fleet import service, transport
from rocm_pipeline.fleet.chat import ChatFailedError, NoHostError, NoModelError
from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.stopping import Stop
from rocm_pipeline.fleet.transport import Answer, Call, Deadlines
from rocm_pipeline.records.outcome import Outcome
from tests.fleet.ollama_server import Reply, Script, answers, serving
from tests.fleet.worlds import CODER, LATER, LLAMA, Behaviour, World, error, request, then


def silence(reply: Reply, _: dict[str, Any]) -> None:
    reply.start_stream()


def test_a_reply_says_who_gave_it_and_what_it_took(world: World) -> None:
    world.add("alpha", answers("__global__", prompt_eval_count=20, eval_count=5))
    reply = world.fleet().chat(request())
    assert (reply.text, reply.replayed) == ("__global__", False)
    assert (reply.model, reply.digest) == (CODER, f"digest of {CODER}")
    assert reply.host == world.hosts[0].url
    assert (reply.tokens_in, reply.tokens_out) == (20, 5)
    assert 0 < reply.seconds < 15
    (row,) = world.attempts
    assert row.attempt_id == reply.attempt_id
    assert (row.plan_id, row.task_id, row.run_id, row.round) == (
        "plan-1",
        "write_kernel",
        "run-1",
        2,
    )
    assert (row.status, row.model_returned, row.seed) == ("OK", CODER, 3)
    assert row.t_queued <= row.t_sent <= (row.t_first or 0) <= (row.t_done or 0)


def test_an_equal_request_makes_no_second_call(world: World) -> None:
    script = world.add("alpha", answers("__global__"))
    first = world.fleet().chat(request())
    again = world.fleet().chat(request(purpose="repair", run_id="run-2"))
    assert again.replayed
    assert (again.text, again.attempt_id) == (first.text, first.attempt_id)
    assert len(script.chats) == 1
    assert len(world.attempts) == 1


def test_another_host_with_the_same_model_makes_no_second_call(world: World) -> None:
    world.add("alpha", answers("__global__"))
    world.fleet().chat(request())
    world.hosts.clear()
    beta = world.add("beta", answers("other"))
    assert world.fleet().chat(request()).replayed
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
def test_a_request_that_differs_is_sent(world: World, change: dict[str, Any]) -> None:
    script = world.add("alpha", answers("__global__"))
    fleet = world.fleet()
    fleet.chat(request())
    assert not fleet.chat(request(**change)).replayed
    assert len(script.chats) == 2


def test_a_model_that_was_pulled_anew_is_asked_again(world: World) -> None:
    script = world.add("alpha", answers("__global__"))
    world.fleet().chat(request())
    script.models[CODER] = "another digest"
    assert not world.fleet().chat(request()).replayed


def test_a_damaged_answer_is_asked_for_again_and_mended(world: World, tmp_path: Path) -> None:
    script = world.add("alpha", answers("__global__"))
    fleet = world.fleet()
    fleet.chat(request())
    digest = world.attempts[0].reply_sha256 or ""
    (tmp_path / "store" / digest[:2] / digest).write_text("__host__")
    assert not fleet.chat(request()).replayed
    assert fleet.chat(request()).text == "__global__"
    assert len(script.chats) == 2


def test_one_context_window_is_asked_for_everywhere(world: World) -> None:
    script = world.add("alpha", answers("x"))
    world.fleet().chat(request(options={"temperature": 0.5, "stop": ["END"]}))
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
        (answers("x", after=1.0), "TIMEOUT"),
        (answers("x", model="something:else"), "WRONG_MODEL"),
        (silence, "INCOMPLETE"),
    ],
)
def test_a_host_at_fault_is_replaced_by_another(
    world: World, fault: Behaviour, outcome: str
) -> None:
    impatient = {"first_token": 0.5} if outcome == "TIMEOUT" else {}
    alpha = world.add("alpha", fault, **impatient)
    world.add("beta", answers("__global__"))
    reply = world.fleet().chat(request())
    assert reply.text == "__global__"
    assert world.outcomes == [outcome, "OK"]
    assert [row.attempt_no for row in world.attempts] == [1, 2]
    assert len(alpha.chats) == 1


def test_a_host_that_dies_between_survey_and_call_is_replaced(world: World) -> None:
    with serving(Script(answers("x"), models={CODER: f"digest of {CODER}"})) as url:
        world.hosts.append(Host(name="alpha", url=url))
        world.add("beta", answers("__global__"))
        fleet = world.fleet()
        fleet.survey(require=True)
    assert fleet.chat(request()).text == "__global__"
    assert fleet.chat(request(seed=4)).text == "__global__"
    assert world.outcomes == ["UNREACHABLE", "OK", "OK"]


def test_a_busy_only_host_is_asked_again(world: World) -> None:
    world.add("alpha", then(error(503), error(503), answers("__global__")))
    assert world.fleet().chat(request()).text == "__global__"
    assert world.outcomes == ["SERVER_BUSY", "SERVER_BUSY", "OK"]


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
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add("alpha", answers("__global__"))
    fleet = world.fleet()
    Flaky(monkeypatch, refusals=2)
    assert fleet.chat(request()).text == "__global__"
    assert fleet.chat(request(seed=4)).text == "__global__"
    assert world.outcomes == ["UNREACHABLE", "UNREACHABLE", "OK", "OK"]


def test_an_only_host_that_stays_away_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add("alpha", answers("__global__"))
    fleet = world.fleet(LATER)
    Flaky(monkeypatch, refusals=100)
    with pytest.raises(ChatFailedError, match="1 attempts") as caught:
        fleet.chat(request())
    assert caught.value.unusable_answer is None
    with pytest.raises(NoHostError, match="refuses"):
        fleet.chat(request(seed=4))
    assert world.outcomes == ["UNREACHABLE"]


def test_an_only_host_that_hangs_is_asked_once(world: World) -> None:
    script = world.add("alpha", answers("x", after=1.0), first_token=0.5)
    with pytest.raises(ChatFailedError, match=r"1 attempts: .*TIMEOUT"):
        world.fleet().chat(request())
    assert len(script.chats) == 1


def test_attempts_are_bounded_and_each_is_told(world: World) -> None:
    script = world.add("alpha", error(503, "too much"))
    with pytest.raises(ChatFailedError, match=r"12 attempts: .*SERVER_BUSY, too much") as caught:
        world.fleet().chat(request())
    assert len(script.chats) == len(caught.value.failures) == service.MAX_CALLS == 12
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.failures == caught.value.failures


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(answers("half", done_reason="length"), "TRUNCATED"), (answers(), "EMPTY")],
)
def test_an_unusable_answer_goes_to_another_model_not_another_host(
    world: World, answer: Behaviour, outcome: str
) -> None:
    def behave(reply: Reply, body: dict[str, Any]) -> None:
        (answer if body["model"] == CODER else answers("from llama"))(reply, body)

    world.add("alpha", behave, CODER, LLAMA)
    world.add("beta", behave, CODER, LLAMA)
    reply = world.fleet().chat(request())
    assert (reply.text, reply.model) == ("from llama", LLAMA)
    assert world.outcomes == [outcome, "OK"]


def test_an_unusable_answer_of_the_only_model_fails_and_is_not_replayed(world: World) -> None:
    world.add("alpha", then(answers("half", done_reason="length"), answers("whole")))
    fleet = world.fleet()
    with pytest.raises(ChatFailedError) as caught:
        fleet.chat(request())
    assert [f.outcome for f in caught.value.failures] == [Outcome.TRUNCATED]
    fault = caught.value.unusable_answer
    assert fault is not None
    assert (fault.model, fault.host, fault.tokens_out) == (CODER, world.hosts[0].url, 2)
    assert fleet.chat(request()).text == "whole"


def test_the_role_decides_the_model(world: World) -> None:
    world.add("alpha", answers("x"), LLAMA, CODER, "nomic-embed-text:latest")
    fleet = world.fleet()
    assert fleet.models_for("kernel_dev") == (CODER, LLAMA)
    assert fleet.models_for("docs_writer") == (LLAMA, CODER)


def test_the_larger_of_two_tags_comes_first(world: World) -> None:
    big = "qwen2.5-coder:32b"
    script = world.add("alpha", answers("x"), CODER, big)
    script.sizes = {CODER: 4, big: 20}
    assert world.fleet().models_for("kernel_dev") == (big, CODER)


def test_a_model_that_no_role_names_is_better_than_none(world: World) -> None:
    world.add("alpha", answers("x"), "my-own:latest", "nomic-embed-text:latest")
    assert world.fleet().models_for("kernel_dev") == ("my-own:latest",)


def test_a_host_with_a_list_is_asked_for_nothing_else(world: World) -> None:
    world.add(
        "embedded",
        answers("x"),
        CODER,
        "rocm-pipeline/templates",
        models=("rocm-pipeline/templates",),
    )
    fleet = world.fleet()
    assert fleet.models_for("kernel_dev") == ("rocm-pipeline/templates",)
    assert fleet.chat(request()).model == "rocm-pipeline/templates"


def test_a_host_with_roles_works_for_these_alone(world: World) -> None:
    world.add("alpha", answers("x"), roles=("tester",))
    fleet = world.fleet()
    assert fleet.models_for("tester") == (CODER,)
    with pytest.raises(NoModelError, match="'kernel_dev'"):
        fleet.chat(request())


def test_a_second_opinion_comes_from_another_model(world: World) -> None:
    world.add("alpha", answers("x"), CODER, LLAMA)
    fleet = world.fleet()
    writer = fleet.chat(request())
    reviewer = fleet.chat(request(), exclude_models=[writer.model])
    assert (writer.model, reviewer.model) == (CODER, LLAMA)
    assert fleet.chat(request(seed=9), exclude_models=[writer.digest]).model == LLAMA
    with pytest.raises(NoModelError, match="other than"):
        fleet.chat(request(), exclude_models=[CODER, LLAMA])


def test_a_dead_server_is_one_clear_line(world: World) -> None:
    world.add_dead("alpha")
    fleet = world.fleet()
    with pytest.raises(UserError) as caught:
        fleet.survey(require=True)
    line = str(caught.value)
    assert "\n" not in line
    assert "'alpha'" in line
    assert world.hosts[0].url in line
    assert "ollama serve" in line
    with pytest.raises(UserError, match="alpha"):
        fleet.chat(request())
    assert world.attempts == []


def test_a_server_without_models_is_one_clear_line(world: World) -> None:
    script = world.add("alpha", answers("x"))
    script.models = {}
    with pytest.raises(UserError, match="has no models"):
        world.fleet().survey(require=True)


def test_a_dead_host_among_living_ones_is_reported_and_left_alone(world: World) -> None:
    world.add_dead("alpha")
    world.add("beta", answers("__global__"))
    fleet = world.fleet()
    dead, living = fleet.survey(require=True)
    assert "refuses" in dead.error
    assert [model.name for model in living.models] == [CODER]
    assert fleet.chat(request()).text == "__global__"
    assert world.outcomes == ["OK"]


def test_no_host_gets_more_at_once_than_it_has_slots(world: World) -> None:
    alpha = world.add("alpha", answers("x", after=0.1), slots=1)
    beta = world.add("beta", answers("x", after=0.1), slots=2)
    fleet = world.fleet()
    with ThreadPoolExecutor(9) as pool:
        replies = list(pool.map(fleet.chat, [request(seed=seed) for seed in range(9)]))
    assert len({reply.attempt_id for reply in replies}) == 9
    assert alpha.most_running <= 1
    assert beta.most_running <= 2
    assert len(alpha.chats) + len(beta.chats) == 9


def test_a_slot_is_free_again_after_a_failure(world: World) -> None:
    world.add("alpha", then(answers(), answers("__global__")))
    fleet = world.fleet()
    with pytest.raises(ChatFailedError):
        fleet.chat(request())
    done = threading.Event()

    def ask() -> None:
        fleet.chat(request())
        done.set()

    threading.Thread(target=ask, daemon=True).start()
    assert done.wait(15)


def test_a_call_that_is_interrupted_is_on_record(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add("alpha", answers("x"))
    fleet = world.fleet()
    fleet.survey()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rocm_pipeline.fleet.transport.chat", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fleet.chat(request())
    assert world.outcomes == ["CANCELLED"]
