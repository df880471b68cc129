"""Changes that Claude asks for go back to an agent within the same run, at most twice.

The workshop, its agents, the records and Claude's SDK are real; Claude's server, the compiler and
PyTorch are stand-ins.
"""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import cast

import dagster as dg
import pytest
from sqlalchemy import select

from rocm_pipeline.agents.workshop import Workshop, open_fleet
from rocm_pipeline.automation.events import StageEvent, StageState
from rocm_pipeline.automation.running import RunSummary, run_targets
from rocm_pipeline.definitions import assemble
from rocm_pipeline.fleet.hosts import FLEET_VARIABLE
from rocm_pipeline.home import Home
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Identity
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.settings import read_settings
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.planning.planted.evidence import evidence_for
from rocm_pipeline.planning.returned import open_follow_up
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.quoting.blocks import read_blocks
from rocm_pipeline.records.lineage import lineage, render
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow, ReviewRow
from rocm_pipeline.reporting.page import Summary
from rocm_pipeline.targets.spec import Case, Target
from tests.automation.conftest import PageWriter
from tests.fakes.pipeline import FakePipeline, FakeSources
from tests.planning.claude.scripted import VALID
from tests.scale import only_long
from tests.standins.claude import KEY, Ending, Request, Says, StandIn, serving

TARGET = "row_softmax"
LOCATION = "code_location_with_changes"
FIRST_LINE = re.compile(r"^ *(\d+)\| *\S", re.MULTILINE)


class PassesAll:
    """A harness that lets every kernel pass, each faster than those before it."""

    def __init__(self) -> None:
        self._judged = 0

    def identify(self, candidate: Candidate, target: Target) -> Identity:
        digest = hashlib.sha256(target.model_dump_json().encode()).hexdigest()
        planted = evidence_for(target, candidate, 0).identity
        return planted.model_copy(update={"target_sha256": digest})

    def judge(
        self,
        candidate: Candidate,
        target: Target,
        *,
        agent_cases: Sequence[Case],  # noqa: ARG002 - as the real one takes
        baseline: Evidence | None,
    ) -> Evidence:
        self._judged += 1
        low = 1.5 + self._judged / 100 if baseline else 1.0
        found = evidence_for(target, candidate, 0)
        speedups = (s.model_copy(update={"low": low, "high": low * 1.5}) for s in found.speedups)
        identity = self.identify(candidate, target)
        return found.model_copy(update={"identity": identity, "speedups": tuple(speedups)})


@dataclass
class RecordedSources(FakeSources):
    """Sources that know of reviews, as the home's do."""

    records: Records = field(kw_only=True)

    def sent_back(self, target: Target, snapshot: RepoSnapshot) -> Plan | None:
        return open_follow_up(self.records, target, snapshot.commit)


@dataclass
class Run:
    """The main job over a home of its own; `cites` says where Claude finds something."""

    home: Home
    records: Records
    server: StandIn
    sources: RecordedSources
    events: list[StageEvent] = field(default_factory=list[StageEvent])
    cites: Callable[[int], str] = lambda _: ""
    _reviews: int = 0

    def run(self) -> RunSummary:
        self.events.clear()
        (summary,) = run_targets(
            self.home, [TARGET], self.events.append, sources=self.sources, code_location=LOCATION
        )
        return summary

    @property
    def summary(self) -> Summary:
        return Summary.model_validate_json((self.home.reports / f"{TARGET}.json").read_text())

    def calls(self, purpose: str) -> list[AttemptRow]:
        return [
            row
            for row in self.records.ledger.attempts()
            if row.purpose == purpose and row.model_requested.startswith("claude")
        ]

    def answer(self, request: Request) -> Ending:
        blocks = read_blocks(request.body["messages"][0]["content"])
        if "KERNEL 1 FACTS" not in blocks:
            return Says(VALID)
        cites = self.cites(self._reviews)
        self._reviews += 1
        remark = {"severity": "major", "message": "mend this", "cites": _line(blocks, cites)}
        review = {
            "kernel": json.loads(blocks["KERNEL 1 FACTS"])["kernel"],
            "verdict": "changes" if cites else "approve",
            "architecture": [remark] if cites else [],
            "integration": [],
            "security": [],
            "upstream": [],
        }
        return Says(json.dumps({"reviews": [review]}))


def _line(blocks: dict[str, str], file: str) -> str:
    """Return the first line of a file that shows something, as a citation."""
    shown = [text for name, text in blocks.items() if " FILE " in name]
    text = next((each for each in shown if each.startswith(f"{file}\n")), "")
    found = FIRST_LINE.search(text)
    return f"{file}:{found[1]}" if found else file


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    for name in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY", "ROCM_PIPELINE_HOME"):
        monkeypatch.setenv(name, "")
    monkeypatch.delenv(FLEET_VARIABLE, raising=False)
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    home = Home(tmp_path)
    with ExitStack() as stack:
        records = Records.open(home.records_url, str(home.store))
        stack.callback(records.close)
        server = stack.enter_context(serving(lambda request: made.answer(request)))
        claude = AnthropicClaude(records, read_settings(), key=KEY, url=server.url)
        stack.callback(claude.close)
        fleet = stack.enter_context(open_fleet(home, records))
        workshop = Workshop(fleet, cast(Harness, PassesAll()), records, claude, 1)
        made = Run(home, records, server, RecordedSources(records=records))
        resources = {
            **FakePipeline(home, sources=made.sources).resources(),
            "workshop": workshop,
            "reporting": PageWriter(home),
        }
        module = ModuleType(LOCATION)
        module.__dict__["defs"] = assemble(resources, dg.in_process_executor)
        monkeypatch.setitem(sys.modules, LOCATION, module)
        yield made


def test_a_kernel_is_changed_and_accepted_within_one_run(job: Run) -> None:
    job.cites = lambda before: "" if before else "kernel.hip"
    done = job.run()
    assert done.succeeded, done.failure
    assert (done.made.count("plan"), done.made.count("report")) == (2, 2)
    (back,) = [event for event in job.events if event.state is StageState.SENT_BACK]
    assert back.detail.endswith("_changes_1")
    assert job.summary.review_words.endswith(", sent back once")
    assert job.summary.verdict == "approve"
    assert len(job.calls("review")) == 2
    assert len(job.calls("plan")) == 1, "nobody plans anew for what a review asks"

    first, second = job.calls("review")
    reviews = {row.attempt_id: row for row in _final_reviews(job.records)}
    before, after = reviews[first.attempt_id], reviews[second.attempt_id]
    assert (before.verdict, after.verdict) == ("changes", "approve")
    assert before.candidate_id != after.candidate_id == job.summary.kernel
    chain = render(lineage(job.records, job.summary.kernel))
    assert before.review_id in chain
    assert after.review_id in chain
    assert first.attempt_id in chain

    (prompt,) = _prompts(job.records, "_changes_1")
    reviewed = job.records.candidate(before.candidate_id)
    assert reviewed is not None
    assert job.records.store.get_text(reviewed.source_sha256).strip() in prompt
    assert "mend this" in prompt

    asked = len(job.server.requests)
    again = job.run()
    assert (again.made, len(job.server.requests)) == ((), asked)


@only_long
def test_a_reviewer_that_is_never_content_ends_it_after_two_returns(job: Run) -> None:
    job.cites = lambda _: "kernel.hip"
    done = job.run()
    assert done.succeeded, done.failure
    assert done.made.count("final_review") == 3
    assert job.summary.verdict == "changes"
    assert job.summary.review_words.endswith(", sent back twice: not accepted")
    assert len(job.calls("review")) == 3
    assert len({row.candidate_id for row in _final_reviews(job.records)}) == 3
    assert job.run().made == ()


@only_long
def test_an_operator_that_comes_back_as_it_was_is_not_paid_for_twice(job: Run) -> None:
    """The embedded agent writes the same operator again, so that the review asks nothing new."""
    job.cites = lambda _: "op.py"
    done = job.run()
    assert done.succeeded, done.failure
    backs = [event.detail for event in job.events if event.state is StageState.SENT_BACK]
    assert [back.rpartition("_changes_")[2] for back in backs] == ["1", "2"]
    assert len(job.calls("review")) == 1
    assert job.summary.review_words.endswith("not accepted")
    assert job.run().made == ()


@only_long
def test_a_changed_target_is_planned_afresh(job: Run) -> None:
    job.cites = lambda _: "kernel.hip"
    job.run()
    job.cites = lambda _: ""
    job.sources.title = "Another title"
    assert job.run().succeeded
    assert (job.summary.verdict, job.summary.times_sent_back) == ("approve", 0)


def _prompts(records: Records, ending: str) -> list[str]:
    """Return what agents were told for tasks whose id ends so."""
    rows = (row for row in records.ledger.attempts() if (row.task_id or "").endswith(ending))
    return [json.loads(records.store.get(row.prompt_sha256))["prompt"] for row in rows]


def _final_reviews(records: Records) -> list[ReviewRow]:
    with records.database.reading() as session:
        rows = session.scalars(select(ReviewRow).order_by(ReviewRow.created_at))
        return [row for row in rows if row.attempt_id]
