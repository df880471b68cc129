"""The code location as Dagster loads it."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

import rocm_pipeline.assets
from rocm_pipeline.definitions import ASSETS, defs

ROOT = Path(rocm_pipeline.assets.__file__).parents[2]
NAMES = {
    "target",
    "repo_snapshot",
    "plan",
    "test_suite",
    "kernel_candidates",
    "kernel",
    "reproduction",
    "torch_op",
    "benchmark",
    "documentation",
    "cross_review",
    "final_review",
    "pull_request",
    "report",
    "agent_reply",
}

SPECS = {
    spec.key.to_user_string(): spec
    for asset in ASSETS
    for spec in ([asset] if isinstance(asset, dg.AssetSpec) else asset.specs)
}


def test_the_definitions_load() -> None:
    dg.Definitions.validate_loadable(defs)
    assert set(SPECS) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_asset_says_what_it_is_and_whose(name: str) -> None:
    spec = SPECS[name]
    assert spec.group_name not in (None, "default")
    assert spec.owners
    assert spec.kinds
    assert spec.description
    assert spec.partitions_def is not None


@pytest.mark.parametrize("name", sorted(NAMES - {"agent_reply"}))
def test_every_stage_has_a_code_version(name: str) -> None:
    assert SPECS[name].code_version


def test_every_gate_is_partitioned_and_reads_as_a_statement() -> None:
    graph = defs.resolve_asset_graph()
    found = {key.name: graph.get(key) for key in graph.asset_check_keys}
    assert set(found) == {
        "plan_covers_every_role",
        "some_candidate_passed",
        "kernel_compiles_for_every_architecture",
        "kernel_matches_reference",
        "controls_are_rejected",
        "reproduced",
        "operator_passes_opcheck",
        "not_slower_than_baseline",
        "documentation_is_complete",
        "numbers_come_from_evidence",
        "documentation_examples_run",
        "reviewer_approved",
        "branch_holds_evidence",
    }
    assert all(node.partitions_def is not None for node in found.values())
    assert all(node.description for node in found.values())


def test_what_a_later_stage_must_not_build_on_is_blocking() -> None:
    graph = defs.resolve_asset_graph()
    blocking = {key.name for key in graph.asset_check_keys if graph.get(key).blocking}
    assert blocking == {
        "plan_covers_every_role",
        "some_candidate_passed",
        "kernel_compiles_for_every_architecture",
        "kernel_matches_reference",
        "controls_are_rejected",
        "reproduced",
        "operator_passes_opcheck",
        "documentation_is_complete",
        "numbers_come_from_evidence",
        "documentation_examples_run",
    }


def test_the_job_holds_every_stage_and_timing_waits_for_the_gpu() -> None:
    job = defs.resolve_job_def("main_job")
    made = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
    assert made == NAMES - {"agent_reply"}
    assert job.executor_def.name == "forkserver"
    assert {getattr(op.definition, "pool", None) for op in job.nodes if op.name == "benchmark"} == {
        "gpu"
    }


def test_loading_makes_and_reads_no_home_and_is_not_slow(tmp_path: Path) -> None:
    """The bound is in units of importing Dagster itself, which all machines pay alike."""
    code = (
        "import resource, time\n"
        "def cpu():\n"
        "    used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    return used.ru_utime + used.ru_stime\n"
        "import dagster\n"
        "own = cpu()\n"
        "import rocm_pipeline.definitions\n"
        "print(own, cpu())\n"
    )
    home = tmp_path / "home"
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        env={"ROCM_PIPELINE_HOME": str(home), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    dagster, everything = (float(number) for number in printed.split())
    assert not home.exists()
    assert list(tmp_path.iterdir()) == []
    assert everything < 5 * dagster


def test_no_asset_module_postpones_its_annotations() -> None:
    """Dagster reads them at import and takes a postponed one for a string."""
    for path in (ROOT / "rocm_pipeline").rglob("*.py"):
        assert "from __future__ import annotations" not in path.read_text(encoding="utf-8"), path
