"""Honest kernels of many kinds pass; one mistake in each gets the status that fits it."""

from pathlib import Path

import pytest

from rocm_pipeline.lab.verification import verify
from tests.lab.verification.folders import FOLDERS, Folder, write
from tests.scale import scaled

HONEST = FOLDERS[:: scaled(short=4, long=1)]
_ALL_MISTAKES = [(folder, mistake) for folder in FOLDERS for mistake in folder.mistakes]
MISTAKES = _ALL_MISTAKES[scaled(short=1, long=0) :: scaled(short=6, long=1)]


@pytest.mark.parametrize("folder", HONEST, ids=lambda folder: folder.name)
def test_an_honest_kernel_passes(folder: Folder, cache: Path, tmp_path: Path) -> None:
    place = write(tmp_path / folder.name, folder.files())
    verdict = verify(place, cache, architectures=("gfx1100",))
    assert verdict.passed, verdict.finding
    assert verdict.tier == "T2"
    assert {check.status.value for check in verdict.checks} <= {"PASSED", "NOT_RUN"}
    assert [c.name for c in verdict.checks if c.status.value == "NOT_RUN"] == ["large cases"]


@pytest.mark.parametrize(
    ("folder", "mistake"), MISTAKES, ids=[f"{f.name}-{m[2]}-{m[1][:12]}" for f, m in MISTAKES]
)
def test_a_mistake_gets_its_status(
    folder: Folder, mistake: tuple[str, str, str], cache: Path, tmp_path: Path
) -> None:
    before, after, status = mistake
    files = folder.files()
    assert before in files["kernel.hip"]
    files["kernel.hip"] = files["kernel.hip"].replace(before, after)
    verdict = verify(write(tmp_path / "case", files), cache, architectures=("gfx1100",))
    assert verdict.status.value == status, verdict.finding
    assert (verdict.finding is None) == verdict.passed
