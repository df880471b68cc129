"""`make` on a machine where something is missing."""

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

WITHOUT_ENSUREPIP = """#!/bin/sh
[ "$1" = -m ] || exit 0
mkdir -p .venv/bin && ln -s "$0" .venv/bin/python
exit 1
"""


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(MAKEFILE, folder)
    return subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_python_without_ensurepip_leaves_no_half_made_folder(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(WITHOUT_ENSUREPIP)
    python.chmod(0o755)
    (tmp_path / "pyproject.toml").touch()
    for _ in range(2):
        done = make(tmp_path, "run", f"PYTHON={python}")
        assert done.returncode == 2
        assert "apt-get install python3-venv" in done.stdout
        assert not (tmp_path / ".venv").exists()


def test_cleaning_leaves_what_a_person_made(tmp_path: Path) -> None:
    kept = tmp_path / ".rocm_pipeline/targets/mine/target.yaml"
    cache = tmp_path / "rocm_pipeline/__pycache__/x.pyc"
    for file in (kept, cache, tmp_path / ".venv/bin/python"):
        file.parent.mkdir(parents=True)
        file.touch()
    for folder in ("tests", "benchmarks"):
        (tmp_path / folder).mkdir()
    assert make(tmp_path, "clean").returncode == 0
    assert kept.is_file()
    assert not (tmp_path / ".venv").exists()
    assert not cache.parent.exists()
