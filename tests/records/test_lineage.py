import time
from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.records.journal import Intent, Received
from rocm_pipeline.records.lineage import Link, lineage, render
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records

SOURCE = "__global__ void row_softmax() {}\n"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
WHOLE_CHAIN = [
    "pull request",
    "review",
    "evidence",
    "candidate",
    "reply",
    "attempt",
    "attempt",
    "task",
    "task",
    "plan",
    "commit",
]


class Story:
    """One kernel from commit to pull request, recorded as the pipeline records it."""

    def __init__(self, folder: Path) -> None:
        self.records = Records.open(str(folder / "records.db"), str(folder / "store"))
        records = self.records
        records.save_plan(
            "plan-1", target="row_softmax", commit=COMMIT, planner="rules", document='{"p":1}'
        )
        for task, role in (("write_kernel", "kernel_dev"), ("review_kernel", "tester")):
            records.save_task("plan-1", task, target="row_softmax", role=role, document=f'"{task}"')
        self.attempt_id = self.call("write_kernel", "kernel_dev", "the raw answer")
        self.review_attempt_id = self.call("review_kernel", "tester", "looks right")
        self.reply_id = records.save_reply(
            self.attempt_id,
            plan_id="plan-1",
            task_id="write_kernel",
            target="row_softmax",
            document='{"files":[]}',
        )
        records.save_candidate(
            "k-1",
            target="row_softmax",
            source=SOURCE,
            launch_plan='{"launches":[1]}',
            task_id="write_kernel",
            reply_id=self.reply_id,
            parents=("k-0",),
            round=2,
        )
        records.save_evidence(
            "ev-1",
            identity="i",
            candidate_id="k-1",
            target="row_softmax",
            tier=2,
            status="PASSED",
            document='{"e":1}',
        )
        records.save_review(
            "rev-1",
            candidate_id="k-1",
            target="row_softmax",
            reviewer="m:7b",
            verdict="accept",
            evidence_ids=("ev-1",),
            attempt_id=self.review_attempt_id,
            document='{"r":1}',
        )
        records.save_pull_request(
            "pr-1",
            target="row_softmax",
            candidate_id="k-1",
            evidence_id="ev-1",
            branch="kernels/row_softmax",
            commit="fedcba9876543210",
            state="local",
        )

    def plan_call(self) -> str:
        return self.records.journal.intent(
            Intent(
                provider="anthropic",
                model="a-claude",
                model_digest="",
                system="s",
                prompt="plan row_softmax",
                host="https://api",
                target="row_softmax",
                purpose="plan",
                role="planner",
            )
        )

    def call(self, task_id: str, role: str, text: str) -> str:
        attempt_id = self.records.journal.intent(
            Intent(
                provider="ollama",
                model="m:7b",
                model_digest="sha-of-model",
                system="s",
                prompt=f"do {task_id}",
                seed=41,
                host="http://alpha:11434",
                target="row_softmax",
                purpose="code",
                role=role,
                plan_id="plan-1",
                task_id=task_id,
            )
        )
        self.records.journal.finish(
            attempt_id,
            Received(
                outcome=Outcome.OK, text=text, t_done=time.time(), tokens_in=123, tokens_out=45
            ),
        )
        return attempt_id


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def kinds(links: list[Link]) -> list[str]:
    return [link.kind for link in links]


def test_a_file_leads_to_who_made_it(story: Story, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.hip"
    file.write_text(SOURCE)
    links = lineage(story.records, str(file))
    assert kinds(links) == ["file", *WHOLE_CHAIN]
    attempt = next(link for link in links if link.id == story.attempt_id)
    assert attempt.facts["host"] == "http://alpha:11434"
    assert attempt.facts["model"] == "m:7b"
    assert attempt.facts["digest"] == "sha-of-model"
    assert attempt.facts["seed"] == "41"
    assert attempt.facts["tokens"] == "123 in, 45 out"
    assert "do write_kernel" in story.records.store.get_text(attempt.facts["prompt"])


@pytest.mark.parametrize(
    "what", ["k-1", "ev-1", "rev-1", "pr-1", "kernels/row_softmax", "fedcba9876543210", "fedcba98"]
)
def test_the_whole_chain_is_found_from_the_judged_side(story: Story, what: str) -> None:
    assert kinds(lineage(story.records, what)) == WHOLE_CHAIN


def test_the_whole_chain_is_found_from_the_asked_side(story: Story) -> None:
    for what in (story.attempt_id, story.reply_id, story.review_attempt_id, "write_kernel"):
        assert kinds(lineage(story.records, what)) == WHOLE_CHAIN, what


def test_a_task_is_named_alone_or_with_its_plan(story: Story) -> None:
    assert lineage(story.records, "plan-1/write_kernel") == lineage(story.records, "write_kernel")
    with pytest.raises(UserError):
        lineage(story.records, "plan-2/write_kernel")


@pytest.mark.parametrize("what", ["plan-1", COMMIT, COMMIT[:7]])
def test_a_plan_and_its_commit_lead_to_each_other(story: Story, what: str) -> None:
    links = lineage(story.records, what)
    assert [(link.kind, link.id) for link in links] == [("plan", "plan-1"), ("commit", COMMIT)]


def test_a_plan_of_a_model_and_the_call_that_made_it_lead_to_each_other(story: Story) -> None:
    attempt_id = story.plan_call()
    for plan_id in ("plan-2", "plan-3"):  # one call may plan several targets
        story.records.save_plan(
            plan_id,
            target="row_softmax",
            commit=COMMIT,
            planner="a-claude",
            document=f'"{plan_id}"',
            attempt_id=attempt_id,
        )
    attempt, plan, _ = lineage(story.records, "plan-2")
    assert (attempt.kind, attempt.id, plan.facts["attempt"]) == ("attempt", attempt_id, attempt_id)
    assert attempt.facts["model"] == "a-claude"
    assert "plan row_softmax" in story.records.store.get_text(attempt.facts["prompt"])
    found = [link.id for link in lineage(story.records, attempt_id)]
    assert found == [attempt_id, "plan-2", "plan-3", COMMIT]


def test_one_kernel_of_two_agents_has_two_origins(story: Story) -> None:
    other = story.call("write_kernel", "kernel_dev", "another raw answer")
    reply_id = story.records.save_reply(
        other, plan_id="plan-1", task_id="write_kernel", target="row_softmax", document="{}"
    )
    story.records.save_candidate(
        "k-1",
        target="row_softmax",
        source=SOURCE,
        launch_plan='{"launches":[1]}',
        task_id="write_kernel",
        reply_id=reply_id,
    )
    attempts = {link.id for link in lineage(story.records, "k-1") if link.kind == "attempt"}
    assert attempts == {story.attempt_id, other, story.review_attempt_id}


def test_a_baseline_says_that_no_agent_wrote_it(story: Story) -> None:
    story.records.save_candidate("k-base", target="row_softmax", source="b", launch_plan="{}")
    (link,) = lineage(story.records, "k-base")
    assert "baseline" in link.facts["from"]


def test_a_file_made_for_a_record_leads_to_it(story: Story, tmp_path: Path) -> None:
    file = tmp_path / "op.py"
    file.write_bytes(b"import torch\n")
    story.records.save_artefact(file.read_bytes(), kind="PyTorch operator", owner_id="k-1")
    links = lineage(story.records, str(file))
    assert links[0].facts["is"] == "PyTorch operator"
    assert kinds(links)[1:] == WHOLE_CHAIN


def test_a_file_that_was_changed_is_not_ours(story: Story, tmp_path: Path) -> None:
    file = tmp_path / "edited.hip"
    file.write_text(SOURCE + "// edited")
    with pytest.raises(UserError, match=r"edited\.hip"):
        lineage(story.records, str(file))


@pytest.mark.parametrize("what", ["k-2", "nothing", "", "%", "fedc", "0" * 64])
def test_an_unknown_thing_is_a_user_error(story: Story, what: str) -> None:
    with pytest.raises(UserError, match="do not know this"):
        lineage(story.records, what)


def test_the_chain_reads_as_plain_text(story: Story) -> None:
    text = render(lineage(story.records, "k-1"))
    lines = text.splitlines()
    assert lines[0] == "pull request pr-1"
    assert "<- candidate k-1" in lines
    assert f"<- attempt {story.attempt_id}" in lines
    assert lines[-1] == f"<- commit {COMMIT}"
    assert all(line.isprintable() for line in lines)


def test_a_pull_request_follows_its_state(story: Story) -> None:
    story.records.save_pull_request(
        "pr-1",
        target="row_softmax",
        candidate_id="k-1",
        evidence_id="ev-1",
        branch="kernels/row_softmax",
        commit="fedcba9876543210",
        state="open",
        url="https://github.example/pull/1",
    )
    pull = lineage(story.records, "pr-1")[0]
    assert (pull.facts["state"], pull.facts["url"]) == ("open", "https://github.example/pull/1")


def test_what_a_server_sent_cannot_steer_the_terminal(story: Story) -> None:
    attempt_id = story.records.journal.intent(
        Intent(
            provider="ollama",
            model="m",
            model_digest="",
            system="",
            prompt="",
            host="h",
            target="t",
            purpose="code",
            role="tester",
        )
    )
    bad = Received(outcome=Outcome.SERVER_ERROR, error="\x1b[2J\nforged: line", t_done=time.time())
    story.records.journal.finish(attempt_id, bad)
    text = render(lineage(story.records, attempt_id))
    assert "\x1b" not in text
    assert not any(line.startswith("forged") for line in text.splitlines())
