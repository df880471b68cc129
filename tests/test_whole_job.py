"""The main job as a person runs it: the embedded agent, the harness, the branch, and once more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def _run(home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "rocm_pipeline", "run", "row_softmax", "--home", str(home)],
        env={"PATH": os.environ["PATH"], "ROCM_PIPELINE_ROUNDS": "1"},
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.early
def test_a_kernel_is_accepted_put_on_a_branch_and_not_asked_for_again(home: Path) -> None:
    first = _run(home)

    assert "approve by rules" in first
    assert "New calls: " in first
    [summary] = (home / "reports").glob("row_softmax*.json")
    assert json.loads(summary.read_text())["tier"] == "T2, reproduced"
    branches = subprocess.run(
        ["git", "-C", home / "repository", "branch", "--list", "--format=%(refname:short)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    [branch] = [name for name in branches if "row_softmax" in name]
    listed = subprocess.run(
        ["git", "-C", home / "repository", "ls-tree", "-r", "--name-only", branch],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "pr.md" in listed
    assert ".hip" in listed

    assert "no agent was called" in _run(home)
