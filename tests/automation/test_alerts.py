"""One line for every run that failed."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg

from rocm_pipeline.automation.alerts import ALERTS, alert_on_failure, note
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home

NOW = datetime(2026, 3, 1, 2, tzinfo=timezone.utc)


@dg.op
def judge() -> None:
    raise UserError("no host answers", where="hosts.yaml", fix="Start Ollama.")


@dg.job
def failing() -> None:
    judge()


def test_a_failed_run_is_noted_once_with_its_reason(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = failing.execute_in_process(
            instance=instance, raise_on_error=False, tags={"dagster/partition": "row_softmax"}
        )
        context = dg.build_run_status_sensor_context(
            sensor_name="alert_on_failure",
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            resources={"home": Home(tmp_path)},
        ).for_run_failure()
        for _ in range(2):
            alert_on_failure(context)
    (line,) = (tmp_path / ALERTS).read_text(encoding="utf-8").splitlines()
    found = json.loads(line)
    assert found["target"] == "row_softmax"
    assert found["step"] == "judge"
    assert found["reason"] == "hosts.yaml: no host answers. Start Ollama."
    assert found["run"] == result.run_id


def test_runs_that_fail_at_once_leave_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / ALERTS

    def fail(number: int) -> bool:
        return note(path, run_id=f"r{number % 8}", target="t", step="s", reason="a\nb", at=NOW)

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(fail, range(16)))
    assert sum(written) == 8
    lines = path.read_text(encoding="utf-8").splitlines()
    assert sorted(json.loads(line)["run"] for line in lines) == [f"r{n}" for n in range(8)]


def test_half_a_line_of_a_killed_process_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / ALERTS
    path.write_text('{"run": "ol', encoding="utf-8")
    assert note(path, run_id="new", target="t", step="s", reason="r", at=NOW)
    assert not note(path, run_id="new", target="t", step="s", reason="r", at=NOW)
