"""What is published and reported leads back to the kernel and the commit."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rocm_pipeline.agents.outcome import Operator
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import REPOSITORY_VARIABLE, Home
from rocm_pipeline.publishing.pull_request import Proposal
from rocm_pipeline.records.journal import Intent, Received
from rocm_pipeline.records.lineage import Link, lineage
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records
from rocm_pipeline.reporting.page import ReportInputs
from rocm_pipeline.resources.operators import HomeIntegration
from rocm_pipeline.resources.production import HomePublishing, HomeReporting
from rocm_pipeline.resources.sources import HomeSources
from tests.reporting.inputs import report_inputs


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv(REPOSITORY_VARIABLE, raising=False)
    return Home(tmp_path / "home")


def opened(home: Home) -> Records:
    return Records.open(home.records_url, str(home.store))


def record(home: Home, inputs: ReportInputs) -> None:
    """Record plan, call, reply, kernel and evidence as the workshop does."""
    records, kernel, name = opened(home), inputs.kernel, inputs.target.name
    task = inputs.candidates.outcomes[0].task_id
    records.save_plan(
        inputs.plan.id,
        target=name,
        commit=inputs.plan.commit,
        planner="rules",
        document=inputs.plan.model_dump_json(),
    )
    attempt = records.journal.intent(
        Intent(
            provider="ollama",
            model="m",
            model_digest="d",
            system="s",
            prompt="p",
            host="h",
            target=name,
            purpose="code",
            role="kernel_dev",
            plan_id=inputs.plan.id,
            task_id=task,
        )
    )
    done = Received(outcome=Outcome.OK, text="t", t_done=time.time())
    records.journal.finish(attempt, done)
    reply = records.save_reply(
        attempt, plan_id=inputs.plan.id, task_id=task, target=name, document="{}"
    )
    records.save_candidate(
        kernel.candidate.id,
        target=name,
        source=kernel.candidate.source,
        launch_plan=kernel.candidate.launch_plan.model_dump_json(),
        task_id=task,
        reply_id=reply,
    )
    records.save_evidence(
        kernel.evidence.id,
        identity="i",
        candidate_id=kernel.candidate.id,
        target=name,
        tier=2,
        status="PASSED",
        document=kernel.evidence.model_dump_json(),
    )
    records.close()


def traced(home: Home, file: Path) -> list[Link]:
    records = opened(home)
    try:
        return lineage(records, str(file))
    finally:
        records.close()


def test_every_file_of_a_branch_and_every_page_leads_to_kernel_and_commit(home: Home) -> None:
    target = HomeSources(home).target("row_softmax")
    snapshot = HomeSources(home).snapshot(target)
    inputs = report_inputs(snapshot.commit)
    record(home, inputs)
    operator = Operator(target=target.name, source="import os\n", exchange=None)
    built = HomeIntegration(home).build(target, inputs.kernel, operator)
    proposed = HomePublishing(home).propose(
        Proposal(
            target=target,
            snapshot=snapshot,
            kernel=inputs.kernel,
            operator=built,
            document=inputs.document,
            review=inputs.final,
            body="# The kernel\n",
        )
    )
    assert proposed.commit is not None
    names = {Path(path).name for path in proposed.files}
    assert {"kernel.hip", "evidence.json", "README.md", "pr.md", "op.py"} <= names
    page = HomeReporting(home).page(replace(inputs, operator=built, pull_request=proposed))

    tree = home.worktrees / target.name
    written = subprocess.run(
        ["git", "show", "--name-only", "--format=", "HEAD"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(written) <= set(proposed.files)
    for file in [*(tree / path for path in proposed.files), page, home.reports / "index.html"]:
        ids = {link.id: link for link in traced(home, file)}
        assert {inputs.kernel.candidate.id, snapshot.commit} <= set(ids), file
        assert proposed.commit in {link.facts.get("commit") for link in ids.values()}, file

    (tree / proposed.files[0]).write_text("edited")
    with pytest.raises(UserError, match="do not know this"):
        traced(home, tree / proposed.files[0])


def test_a_page_about_a_baseline_leads_to_the_commit_through_the_plan(home: Home) -> None:
    inputs = report_inputs()
    records = opened(home)
    records.save_plan(
        inputs.plan.id, target="row_softmax", commit="c0ffee0", planner="rules", document="{}"
    )
    records.close()
    kinds = [link.kind for link in traced(home, HomeReporting(home).page(inputs))]
    assert kinds == ["file", "plan", "commit"]
