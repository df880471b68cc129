"""However a call to Claude ends, a run succeeds by rules, says why, and pays nothing twice.

Claude's SDK and the records, with planning, reviewing and the report, are real; Claude's server
and all that agents and the harness would do are stand-ins.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from types import ModuleType
from typing import cast

import dagster as dg
import pytest

from rocm_pipeline.agents.outcome import ChosenKernel
from rocm_pipeline.agents.workshop import Workshop
from rocm_pipeline.automation.running import RunSummary, run_targets
from rocm_pipeline.definitions import assemble
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.home import Home
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.planning.claude.call import Reason
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.packet import Submission
from rocm_pipeline.planning.claude.planner import Planned, PlanRequest
from rocm_pipeline.planning.claude.settings import read_settings
from rocm_pipeline.planning.history import Commit
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.planning.review import Review
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.records.records import Records
from rocm_pipeline.reporting.page import ReportInputs, write_page
from rocm_pipeline.targets.spec import Target
from tests.automation.conftest import Command
from tests.fakes.pipeline import FakePipeline, FakeReporting, FakeWorkshop
from tests.planning.claude.scripted import VALID
from tests.scale import only_long
from tests.standins.claude import (
    KEY,
    Ending,
    Fails,
    Lost,
    Refuses,
    Says,
    StandIn,
    UsesTool,
    in_turn,
    serving,
)

TARGET = "row_softmax"
LOCATION = "code_location_with_a_failing_claude"
TRIES = read_settings().attempts


class AsksClaude(FakeWorkshop):
    """Plans and reviews as the real workshop does, and makes everything else up."""

    def __init__(self, real: Workshop) -> None:
        super().__init__()
        self._real = real

    def plan(
        self,
        target: Target,
        snapshot: RepoSnapshot,
        history: Sequence[Commit] = (),
        run_id: str | None = None,
        *,
        beside: Callable[[], Sequence[PlanRequest]] = tuple,
        may_wait: bool = False,
    ) -> Planned:
        return self._real.plan(target, snapshot, history, run_id, beside=beside, may_wait=may_wait)

    def final_review(
        self,
        submission: Submission,
        run_id: str | None = None,
        *,
        beside: Sequence[Submission] = (),
        may_wait: bool = False,
    ) -> Review:
        kernel = submission.candidate
        self._real.records.save_candidate(
            kernel.id,
            target=kernel.target,
            source=kernel.source,
            launch_plan=kernel.launch_plan.model_dump_json(),
        )
        return self._real.final_review(submission, run_id, beside=beside, may_wait=may_wait)

    def send_back(self, plan: Plan, review: Review, kernel: ChosenKernel) -> Plan:
        return self._real.send_back(plan, review, kernel)


class Pages(FakeReporting):
    """Writes the real page, without a lineage."""

    def __init__(self, home: Home) -> None:
        self._folder = home.reports

    def page(self, inputs: ReportInputs) -> Path:
        return write_page(self._folder, inputs)


@dataclass
class Run:
    """The main job of one target, over a home of its own."""

    home: Home
    pipeline: FakePipeline
    records: Records
    server: StandIn

    def run(self) -> RunSummary:
        (summary,) = run_targets(
            self.home,
            [TARGET],
            lambda _: None,
            sources=self.pipeline.sources,
            code_location=LOCATION,
        )
        return summary

    @property
    def page(self) -> str:
        return unescape((self.home.reports / f"{TARGET}.html").read_text(encoding="utf-8"))

    @property
    def asked(self) -> int:
        return self.server.tally.requests["POST /v1/messages"]


@pytest.fixture
def job(command: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    home = command.home
    with ExitStack() as stack:
        server = stack.enter_context(serving(in_turn(Says(VALID))))
        records = Records.open(home.records_url, str(home.store))
        stack.callback(records.close)
        claude = AnthropicClaude(
            records, read_settings(), key=KEY, url=server.url, sleep=lambda _: None
        )
        stack.callback(claude.close)
        # neither a fleet nor a harness is asked: the kernels are made up
        real = Workshop(cast(Fleet, None), cast(Harness, None), records, claude, 1)
        pipeline = FakePipeline(home, workshop=AsksClaude(real))
        module = ModuleType(LOCATION)
        module.__dict__["defs"] = assemble(
            {**pipeline.resources(), "reporting": Pages(home)}, dg.in_process_executor
        )
        monkeypatch.setitem(sys.modules, LOCATION, module)
        yield Run(home, pipeline, records, server)


@pytest.mark.parametrize(
    ("ending", "reason", "requests"),
    [
        pytest.param(Says("{"), Reason.INVALID, 4, id="malformed twice"),
        pytest.param(Lost(Says(VALID)), Reason.HELD, 2, id="lost after the charge"),
        # a run takes seconds: the others only where every test is run at full size
        pytest.param(Refuses(), Reason.REFUSED, 2, id="refused", marks=only_long),
        pytest.param(Fails(402), Reason.NOT_PAID, 2, id="402", marks=only_long),
        pytest.param(Fails(429), Reason.RATE_LIMITED, 2 * TRIES, id="429", marks=only_long),
        pytest.param(Fails(529), Reason.RATE_LIMITED, 2 * TRIES, id="529", marks=only_long),
        pytest.param(Says(VALID, limit=20), Reason.TRUNCATED, 2, id="cut", marks=only_long),
        # only the planner has it mended: a review is asked for again in words alone
        pytest.param(UsesTool("ls"), Reason.INVALID, 3, id="a tool", marks=only_long),
    ],
)
def test_a_run_goes_on_by_rules_says_why_and_asks_nothing_twice(
    job: Run, ending: Ending, reason: Reason, requests: int
) -> None:
    """`requests` are all of them: for the plan, for the final review, and to mend an answer."""
    job.server.behaviour = in_turn(ending)
    done = job.run()
    assert done.succeeded, done.failure
    assert f"plan by <code>rules ({reason.value})</code>" in job.page
    assert f"(no model judged: Claude: {reason.value})" in job.page
    assert job.asked == requests
    paid = [each.fingerprint for each in job.server.tally.charged]
    assert len(set(paid)) == len(paid)
    assert len(job.records.ledger.attempts()) == requests

    again = job.run()
    assert (again.made, job.asked) == ((), requests)
