"""The paired experiment for real: a harness judges what stands in for Claude writes."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import ollama
import pytest

from rocm_pipeline.agents.embedded import MODEL, EmbeddedServer
from rocm_pipeline.agents.paired import (
    Contestant,
    CutOffError,
    PairedExperiment,
    Subject,
    alone,
)
from rocm_pipeline.agents.parser import parse
from rocm_pipeline.agents.reply import Reply, ReplyFile
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.planning.claude.call import (
    Answer,
    Call,
    Form,
    Purpose,
    Reason,
    UnansweredError,
)
from rocm_pipeline.planning.claude.economy.baselines import Arm
from rocm_pipeline.planning.claude.economy.paired import Trial
from rocm_pipeline.planning.claude.economy.reading import read_history, save_trial
from rocm_pipeline.planning.claude.economy.report import History, make_economy
from rocm_pipeline.planning.claude.economy.spend import Quantity
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.records.journal import Intent, Received
from rocm_pipeline.records.ledger import ANTHROPIC
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from rocm_pipeline.targets import library
from tests.scale import only_long

MODEL_ID = "claude-opus-5-5"
WRONG = Reply(
    files=(
        ReplyFile(path="kernel.hip", text="__global__ void row_softmax_f32() {}"),
        ReplyFile(path="launch_plan.json", text='{"launches": []}'),
    )
)
Script = Callable[[int], Reply | UnansweredError | None]
"""What is answered to the call of this number; None: what the embedded agent writes."""


class Author:
    """Stands in for Claude: answers with the embedded agent's kernels, and is in the ledger."""

    def __init__(self, records: Records, url: str, script: Script = lambda _: None) -> None:
        self.calls: list[Call[Reply]] = []
        self._records = records
        self._client = ollama.Client(host=url, timeout=60, trust_env=False)
        self._script = script

    def ask(self, call: Call[Form]) -> Answer[Form]:
        assert call.form is Reply
        assert call.purpose is Purpose.BASELINE
        self.calls.append(call)  # pyright: ignore[reportArgumentType]
        said = self._script(len(self.calls))
        attempt = self._book(call, said)
        if isinstance(said, UnansweredError):
            raise said
        reply = said or self._written(call)
        value = call.form.model_validate(reply.model_dump())
        return Answer(value=value, attempt_id=attempt, model=MODEL_ID, text="")

    def ask_all(self, calls: Sequence[Call[Form]]) -> list[Answer[Form] | UnansweredError]:
        raise NotImplementedError

    def _book(self, call: Call[Form], said: Reply | UnansweredError | None) -> str:
        attempt = self._records.journal.intent(
            Intent(
                provider=ANTHROPIC,
                model=MODEL_ID,
                model_digest="",
                system="\n".join(block.text for block in call.system),
                prompt=call.prompt,
                host="h",
                target=call.targets[0],
                purpose=call.purpose.value,
                role="",
                run_id=call.run_id,
            )
        )
        failed = isinstance(said, UnansweredError)
        outcome = Outcome.REFUSED if failed else Outcome.OK
        self._records.journal.finish(
            attempt,
            Received(outcome=outcome, t_done=time.time(), tokens_in=1000, tokens_out=100, usd=0.5),
        )
        return attempt

    def _written(self, call: Call[Form]) -> Reply:
        first = call.system[1].text
        system, user = call.system[0].text, first
        if "FEEDBACK" in call.prompt:
            # the embedded agent looks for everything under one marker
            old, new = (re.findall(r"<<<DATA (\w+) ", text)[0] for text in (first, call.prompt))
            blocks = first[first.index("\n\n<<<DATA ") : first.index("\n\nEverything above")]
            before, _, after = call.prompt.partition("\n\n<<<DATA ")
            user = f"{before}{blocks.replace(old, new)}\n\n<<<DATA {after}"
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        got = self._client.chat(MODEL, messages)  # pyright: ignore[reportArgumentType]
        assert got.message.content
        return parse(got.message.content)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records.open(f"sqlite:///{tmp_path / 'records.sqlite'}", str(tmp_path / "store"))
    yield opened
    opened.close()


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Records]:
    folder = tmp_path / "paired"
    folder.mkdir()
    opened = Records.open(f"sqlite:///{folder / 'records.sqlite'}", str(folder / "store"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with EmbeddedServer() as server:
        yield server.url


@pytest.fixture(scope="module")
def subject() -> Subject:
    """On few rows and one architecture of each wave size, as who is asked depends on neither."""
    small = {"architectures": ("gfx942", "gfx1100"), "emulation_operations": 20_000}
    target = library.load("row_softmax", Path("/nonexistent")).model_copy(update=small)
    snapshot = RepoSnapshot(repository="r", commit="c0ffee", files={"a.hip": "// nothing here\n"})
    return Subject(target, snapshot)


@pytest.fixture
def experiment(scratch: Records, subject: Subject, builds: Path) -> Callable[..., PairedExperiment]:
    def make(author: Author, *, rounds: int = 2, arm: Arm = Arm.BEST_ALONE) -> PairedExperiment:
        planned = arm is Arm.PLANNED_CHEAPEST
        plan = make_plan(subject.target, subject.snapshot.commit, ())
        contestant = Contestant(
            arm=arm,
            model=MODEL_ID,
            claude=author,
            max_tokens=16_000,
            tasks=(lambda _: plan.tasks) if planned else alone,
        )
        return PairedExperiment(
            [subject],
            [contestant],
            harness=Harness(Sandbox.detect(), builds),
            scratch=scratch,
            rounds=rounds,
        )

    return make


def finish(experiment: PairedExperiment, records: Records, repeats: int = 1) -> list[Trial]:
    trials: list[Trial] = []
    for trial in experiment.run(repeats):
        save_trial(records, trial)
        trials.append(trial)
    return trials


def test_claude_mends_a_wrong_kernel_and_stops_at_the_first_that_is_accepted(
    records: Records,
    scratch: Records,
    url: str,
    subject: Subject,
    experiment: Callable[..., PairedExperiment],
) -> None:
    author = Author(records, url, lambda number: WRONG if number == 1 else None)
    (trial,) = finish(experiment(author, rounds=4), records)
    assert trial.accepted
    assert trial.rounds == len(author.calls) < 4
    first, second = author.calls[:2]
    assert first.system == second.system, "what does not change is cached"
    assert all(block.cached for block in first.system)
    assert "nothing here" in first.system[1].text, "the files that the agents are shown too"
    assert "FEEDBACK" in second.prompt
    assert "FEEDBACK" not in first.prompt
    assert "<<<DATA" in second.prompt
    assert "REFERENCE\n" not in second.prompt, "what the first question holds is not said again"
    assert records.best_candidates(subject.target.name) == [], "no plan learns from an experiment"
    assert scratch.best_candidates(subject.target.name)

    economy = make_economy(
        read_history(records),
        best=MODEL_ID,
        cheapest=MODEL_ID,
        price=lambda _model, _tokens: 1.0,
        count=lambda _model, _text: None,
    )
    assert economy.nothing, "an experiment is none of the pipeline's own work"
    assert economy.account.experiments.usd == 0.5 * trial.rounds
    assert economy.account.experiments.tokens == 1100 * trial.rounds


@only_long
def test_a_repeat_asks_anew_and_a_second_run_asks_the_same(
    records: Records, url: str, experiment: Callable[..., PairedExperiment]
) -> None:
    author = Author(records, url)
    trials = finish(experiment(author), records, repeats=2)
    assert len({t.run_id for t in trials}) == 2
    asked = [(call.system, call.prompt) for call in author.calls]
    assert len(set(asked)) == len(asked), "an equal call would be answered from the records"
    again = Author(records, url)
    assert finish(experiment(again), records, repeats=2) == trials
    assert [(call.system, call.prompt) for call in again.calls] == asked
    assert len(read_history(records).trials) == 2


@only_long
def test_a_refusal_costs_a_round(
    records: Records, url: str, experiment: Callable[..., PairedExperiment]
) -> None:
    refusal = UnansweredError(Reason.REFUSED, "frontier_llm", attempt_id="a-1")
    author = Author(records, url, lambda number: refusal if number == 1 else None)
    (trial,) = finish(experiment(author), records)
    assert trial.rounds == 2
    assert "REFUSED" not in author.calls[1].system[1].text
    assert "the answer cannot be used: refused" in author.calls[1].prompt
    history = read_history(records)
    assert sorted(a.outcome for a in history.attempts) == ["OK", "REFUSED"]


@only_long
def test_rounds_without_a_kernel_that_passes_are_not_accepted(
    records: Records, url: str, experiment: Callable[..., PairedExperiment]
) -> None:
    (trial,) = finish(experiment(Author(records, url, lambda _: WRONG)), records)
    assert not trial.accepted
    assert trial.rounds == 2


@pytest.mark.parametrize("reason", [Reason.OVER_BUDGET, Reason.HELD, Reason.UNREACHABLE])
def test_a_trial_that_budget_or_network_ends_is_no_measurement(
    reason: Reason, records: Records, url: str, experiment: Callable[..., PairedExperiment]
) -> None:
    author = Author(records, url, lambda _: UnansweredError(reason, "no more"))
    with pytest.raises(CutOffError, match="no more"):
        finish(experiment(author), records)
    assert read_history(records).trials == ()


def test_the_planned_arm_does_the_kernel_tasks_of_the_plan(
    records: Records, url: str, experiment: Callable[..., PairedExperiment]
) -> None:
    author = Author(records, url, lambda number: WRONG if number == 1 else None)
    (trial,) = finish(experiment(author, rounds=1, arm=Arm.PLANNED_CHEAPEST), records)
    assert trial.accepted
    tasks = [re.findall(r"# Task `(\w+)`", call.system[1].text)[0] for call in author.calls]
    assert tasks == ["kernel_wide", "kernel_lean"]


def test_the_measured_baseline_is_what_the_ledger_says(
    records: Records, url: str, experiment: Callable[..., PairedExperiment]
) -> None:
    """With one accepted kernel of ours for a tenth of a dollar."""
    trials = finish(experiment(Author(records, url)), records)
    plan = records.journal.intent(
        Intent(
            provider=ANTHROPIC,
            model=MODEL_ID,
            model_digest="",
            system="",
            prompt="",
            host="h",
            target="row_softmax",
            purpose="plan",
            role="",
        )
    )
    records.journal.finish(
        plan, Received(outcome=Outcome.OK, t_done=time.time(), tokens_in=55, usd=0.1)
    )
    history = read_history(records)
    economy = make_economy(
        History(history.attempts, {"row_softmax": ("k-1",)}, (), history.trials),
        best=MODEL_ID,
        cheapest=MODEL_ID,
        price=lambda _model, _tokens: 1.0,
        count=lambda _model, _text: None,
    )
    measured = economy.baselines[0]
    usd, tokens = measured.of(Quantity.USD), measured.of(Quantity.TOKENS)
    assert usd is not None
    assert usd.reduction is not None
    assert usd.reduction.value == pytest.approx(1 - 0.1 / (0.5 * trials[0].rounds))
    assert tokens is not None
    assert tokens.reduction is not None
    assert tokens.reduction.value == pytest.approx(1 - 55 / (1100 * trials[0].rounds))
