import shutil
import subprocess
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Sandbox, temporary_box

NESTED = (
    "import os\n"
    "home = os.getcwd()\n"
    "for _ in range(3000): os.mkdir('d'); os.chdir('d')\n"
    "os.chdir(home); os.mkdir('locked'); os.mkdir('locked/in'); os.chmod('locked', 0)"
)


def test_a_box_is_empty_private_and_gone_afterwards() -> None:
    with temporary_box() as box:
        assert list(box.iterdir()) == []
        assert box.stat().st_mode & 0o777 == 0o700
    assert not box.exists()


def test_a_box_is_removed_however_deep_it_was_made(python: str) -> None:
    with temporary_box() as box:
        subprocess.run([python, "-c", NESTED], cwd=box, check=True)
        with pytest.raises((RecursionError, OSError)):
            shutil.rmtree(box)
    assert not box.exists()


def test_a_deep_tree_of_a_run_stays_behind_and_is_named(
    sandbox: Sandbox, box: Path, python: str, interpreter: dict[str, Path]
) -> None:
    done = sandbox.run([python, "-I", "-S", "-c", NESTED], box=box, readonly=interpreter)
    assert done.returncode == 0, done.stderr
    assert any("deeper than 64 folders" in reason for reason in done.left_out)
    shutil.rmtree(box)


def test_what_a_link_in_a_box_points_to_keeps_its_owner_and_content(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "file").write_text("x")
    owner = target.stat().st_uid
    with temporary_box() as box:
        (box / "folder").symlink_to(target)
        (box / "file").symlink_to(target / "file")
        sandbox.run(["/usr/bin/true"], box=box)
        assert (box / "file").read_text() == "x"
    assert {target.stat().st_uid, (target / "file").stat().st_uid} == {owner}
    assert (target / "file").read_text() == "x"
