"""The Dagster instance of a home."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dagster import DagsterInstance, DagsterRun
from dagster._utils.tags import TagConcurrencyLimitsCounter

import rocm_pipeline
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home
from rocm_pipeline.records.records import Records
from rocm_pipeline.resources.compute_logs import RedactedComputeLogManager
from rocm_pipeline.resources.instance import prepare_instance, settings
from tests.scale import scaled

ROOT = Path(rocm_pipeline.__file__).parents[1]
PREPARE = """
import sys
from pathlib import Path
from rocm_pipeline.home import Home
from rocm_pipeline.resources.instance import prepare_instance
with prepare_instance(Home(Path(sys.argv[1]))) as instance:
    print(len(instance.get_dynamic_partitions("target")))
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Give back what `prepare_instance` sets."""
    for name in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY", "ROCM_PIPELINE_HOME"):
        monkeypatch.setenv(name, "")


def test_a_damaged_database_is_refused_by_name(tmp_path: Path) -> None:
    damaged = tmp_path / "dagster" / "storage" / "history" / "runs" / "index.db"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"\x87 no database")
    with pytest.raises(UserError, match="no SQLite database") as refused:
        prepare_instance(Home(tmp_path))
    assert refused.value.where == str(damaged)


@pytest.mark.parametrize("name", ["home", "ä b]#c:d,e'f\"g\\h{i}$j&k;l\nm"])
def test_all_state_lies_in_the_home(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / name)
    with prepare_instance(home) as instance:
        assert Path(instance.root_directory) == home.dagster / "storage"
        assert isinstance(instance.compute_log_manager, RedactedComputeLogManager)
    Records.open(home.records_url, str(home.store)).close()
    assert (home.path / "records.sqlite").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    written = yaml.safe_load((home.dagster / "dagster.yaml").read_text(encoding="utf-8"))
    assert written == settings(home)
    assert written["storage"]["custom"]["config"]["base_dir"] == str(home.dagster / "storage")
    assert ".rocm_pipeline/" not in str(written)


def test_what_the_project_asks_of_dagster_is_set(tmp_path: Path) -> None:
    with prepare_instance(Home(tmp_path)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.event_log_storage.get_concurrency_info("gpu").slot_count == 1
        assert set(instance.get_dynamic_partitions("target")) >= {
            "row_softmax",
            "flash_attention",
            "vae_decoder_block",
        }
    assert os.environ["DAGSTER_DISABLE_TELEMETRY"] == "1"


def test_the_daemon_runs_one_target_at_a_time_and_another_beside_it(tmp_path: Path) -> None:
    with prepare_instance(Home(tmp_path)) as instance:
        queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == 2

    def of(target: str) -> DagsterRun:
        return DagsterRun("main_job", tags={"dagster/partition": target})

    under_way = TagConcurrencyLimitsCounter(queue.tag_concurrency_limits, [of("row_softmax")])
    assert under_way.is_blocked(of("row_softmax"))
    assert not under_way.is_blocked(of("flash_attention"))


def test_a_limit_that_someone_changed_stays(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with prepare_instance(home) as instance:
        instance.event_log_storage.set_concurrency_slots("gpu", 3)
    with prepare_instance(home) as instance:
        assert instance.event_log_storage.get_concurrency_info("gpu").slot_count == 3


def test_processes_that_start_at_once_do_not_break_a_fresh_home(tmp_path: Path) -> None:
    """Without the lock Dagster's migrations of one SQLite file run twice and destroy it."""
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PREPARE, str(tmp_path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(scaled(short=2, long=4))
    ]
    ended = [process.communicate(timeout=120) for process in started]
    assert {process.returncode for process in started} == {0}, ended
    assert {out.strip() for out, _ in ended} == {"3"}


def test_the_file_at_the_root_serves_a_checkout_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with DagsterInstance.get() as instance:
        instance.get_runs(limit=1)
        instance.get_dynamic_partitions("target")
    assert {path.name for path in tmp_path.iterdir()} == {"dagster.yaml", ".rocm_pipeline"}
    with prepare_instance(Home(tmp_path / ".rocm_pipeline")) as instance:
        assert instance.get_dynamic_partitions("target")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with DagsterInstance.get() as instance:
        assert instance.get_dynamic_partitions("target"), "both must use the same storage"
