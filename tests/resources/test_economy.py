"""`rocm-pipeline economy` as the command calls it."""

import io
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from rich.console import Console

from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import REPOSITORY_VARIABLE, ROUNDS_VARIABLE, Home
from rocm_pipeline.planning.claude.call import Answer, Call, Claude, Form, Purpose, UnansweredError
from rocm_pipeline.planning.claude.economy.baselines import Arm, Grade
from rocm_pipeline.planning.claude.economy.report import Economy
from rocm_pipeline.planning.claude.economy.table import economy_table
from rocm_pipeline.planning.claude.settings import KEY_VARIABLE, URL_VARIABLE, ClaudeSettings
from rocm_pipeline.records.journal import Intent, Received
from rocm_pipeline.records.ledger import ANTHROPIC
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from rocm_pipeline.resources.economy import counting, read_economy, require_key, run_paired
from tests.fakes.values import a_small_target

Finish = Callable[..., None]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv(ROUNDS_VARIABLE, "1")
    for name in (REPOSITORY_VARIABLE, KEY_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return Home(tmp_path / "home")


def shown(economy: Economy) -> str:
    text = io.StringIO()
    Console(file=text, width=240).print(economy_table(economy))
    return text.getvalue()


def book(records: Records, provider: str, purpose: str, **received: object) -> None:
    attempt = records.journal.intent(
        Intent(
            provider=provider,
            model="claude-opus-5-5" if provider == ANTHROPIC else "coder:7b",
            model_digest="",
            system="system",
            prompt="question",
            host="h",
            target="row_softmax",
            purpose=purpose,
            role="",
        )
    )
    ended = {"outcome": Outcome.OK, "t_done": time.time(), "text": "answer"}
    records.journal.finish(attempt, Received.model_validate({**ended, **received}))


def test_a_home_without_calls_says_so_in_one_line(home: Home) -> None:
    economy = read_economy(home)
    assert not home.path.exists(), "looking makes nothing"
    assert shown(economy).splitlines() == [economy.nothing]
    assert "Nothing to count yet" in economy.nothing
    home.create()
    assert read_economy(home).nothing == economy.nothing


def test_what_was_spent_is_shown_where_no_kernel_was_accepted(home: Home) -> None:
    home.create()
    records = Records.open(home.records_url, str(home.store))
    book(records, ANTHROPIC, "plan", tokens_in=1234, usd=0.25)
    book(records, "ollama", "code_optimization", tokens_in=4321)
    records.close()
    text = shown(read_economy(home))
    assert "No kernel was accepted yet" in text
    assert "1234" in text
    assert "4321" in text
    for grade in Grade:
        assert grade.value in text
    assert "NOT available" in text
    assert "no accepted kernel of ours" in text


def test_counts_are_asked_for_once_and_kept(home: Home) -> None:
    home.create()
    records = Records.open(home.records_url, str(home.store))
    book(records, "ollama", "code_optimization")
    records.close()
    asked: list[tuple[str, str]] = []

    def count(model: str, text: str) -> int:
        asked.append((model, text))
        return len(text)

    before, counted, after = read_economy(home), read_economy(home, count), read_economy(home)
    replays = [[b for b in e.baselines if b.grade is Grade.G2] for e in (before, counted, after)]
    assert all(baseline.absent for baseline in replays[0])
    assert [b for b in replays[1] if b.arm is Arm.BEST_ALONE and not b.absent]
    assert replays[2] == replays[1], "without a key, from the counts that were kept"
    assert len(set(asked)) == len(asked) == 4, "prompt and answer, by two models"
    read_economy(home, count)
    assert len(asked) == 4


def test_what_was_not_measured_of_a_baseline_is_said_where_its_saving_is_printed(
    home: Home,
) -> None:
    """That Claude's kernels would be accepted as ours are is an assumption in G2 and in G3."""
    home.create()
    records = Records.open(home.records_url, str(home.store))
    book(records, ANTHROPIC, "plan", tokens_in=10)
    book(records, "ollama", "code_optimization")
    records.close()
    text = " ".join(shown(read_economy(home, lambda _, text: len(text))).split())
    (replay,) = re.findall(r"G2: (upper bound[^)]*)", text)
    (model,) = re.findall(r"G3: (one kernel by[^)]*)", text)
    assert "without having measured it, that Claude's work is accepted as often" in replay
    assert "without having measured it, that every such loop ends in an accepted kernel" in model
    for arm in Arm:
        assert arm.value in replay
        assert arm.value in model


def test_a_server_that_does_not_answer_leaves_no_count(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real client; a connection refused for one text is not waited for at the next."""
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9")
    home.create()
    records = Records.open(home.records_url, str(home.store))
    book(records, "ollama", "code_optimization")
    records.close()
    asked: list[str] = []
    with counting(home, "no-real-key") as count:

        def noted(model: str, text: str) -> int | None:
            asked.append(text)
            return count(model, text)

        economy = read_economy(home, noted)
    assert len(asked) == 1
    assert all(baseline.absent for baseline in economy.baselines if baseline.grade is Grade.G2)


@pytest.mark.usefixtures("home")
def test_without_a_key_no_experiment_is_begun() -> None:
    with pytest.raises(UserError, match="there is no key") as refused:
        require_key()
    assert "\n" not in str(refused.value)


class _NoKernel:
    """Answers every question with no file."""

    def __init__(self, settings: ClaudeSettings, models: list[str]) -> None:
        self._model = settings.of(Purpose.BASELINE).model
        self._models = models

    def ask(self, call: Call[Form]) -> Answer[Form]:
        self._models.append(self._model)
        value = call.form.model_validate(Reply(limitations=("cannot",)).model_dump())
        return Answer(value=value, attempt_id="a-1", model=self._model, text="")

    def ask_all(self, calls: Sequence[Call[Form]]) -> list[Answer[Form] | UnansweredError]:
        raise NotImplementedError


def test_an_experiment_is_stored_as_measured_figures(home: Home) -> None:
    models: list[str] = []

    def opened(_: Records, settings: ClaudeSettings) -> AbstractContextManager[Claude]:
        return nullcontext(_NoKernel(settings, models))

    target = a_small_target(home.targets)
    trials = list(run_paired(home, [target.name], 2, opened))
    assert models == ["claude-opus-5-5", "claude-haiku-5-5"] * 2
    assert [trial.arm for trial in trials[:2]] == [Arm.BEST_ALONE, Arm.CHEAPEST_ALONE]
    assert not any(trial.accepted for trial in trials)
    records = Records.open(home.records_url, str(home.store))
    book(records, ANTHROPIC, "plan", tokens_in=1234, usd=0.25)
    records.close()
    measured = [b for b in read_economy(home).baselines if b.grade is Grade.G1]
    assert [b.acceptance for b in measured] == [0.0, 0.0, None]
    assert measured[2].absent, "there was no plan by Claude"
    assert all(c.reduction is None and c.reason for b in measured for c in b.comparisons)
