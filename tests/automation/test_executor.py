"""A whole run with each step in a process of its own, forked from a warm server."""

from pathlib import Path

import pytest
from dagster import DagsterEventType

from rocm_pipeline.automation.running import run_targets
from rocm_pipeline.home import REPOSITORY_VARIABLE, Home
from rocm_pipeline.main_job import STAGES
from rocm_pipeline.resources.instance import prepare_instance
from rocm_pipeline.resources.sources import HomeSources


def test_a_run_in_forked_steps_makes_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("ROCM_PIPELINE_HOME", str(tmp_path))
    monkeypatch.delenv(REPOSITORY_VARIABLE, raising=False)
    home = Home(tmp_path)
    (summary,) = run_targets(
        home,
        ["row_softmax"],
        lambda _: None,
        sources=HomeSources(home),
        code_location="tests.fakes.code_location",
    )
    assert summary.failure == ""
    assert set(summary.made) == set(STAGES)
    with prepare_instance(home) as instance:
        records = instance.get_records_for_run(
            summary.run_ids[0], of_type=DagsterEventType.STEP_WORKER_STARTED
        ).records
    workers = {record.event_log_entry.step_key for record in records}
    assert "kernel_candidates.develop[kernel_wide]" in workers
