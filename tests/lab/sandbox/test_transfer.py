import os
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Limits
from rocm_pipeline.lab.sandbox.transfer import Transfer
from rocm_pipeline.lab.sandbox.usage import Gauge


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


def _round_trip(box: Path, inside: Path, limits: Limits | None = None) -> Transfer:
    transfer = Transfer(box, None, limits or Limits())
    transfer.copy_in(_open(inside))
    return transfer


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)


def test_a_box_goes_in_and_what_a_run_made_of_it_comes_back(box: Path, inside: Path) -> None:
    (box / "deep").mkdir()
    for name in ("same", "changed", "removed", "deep/program"):
        (box / name).write_text(name)
    (box / "deep" / "program").chmod(0o755)
    (box / "link").symlink_to("same")
    transfer = _round_trip(box, inside)
    assert (inside / "deep" / "program").read_text() == "deep/program"
    assert os.access(inside / "deep" / "program", os.X_OK)
    assert os.readlink(inside / "link") == "same"
    (inside / "changed").write_text("by the run")
    (inside / "removed").unlink()
    (inside / "made").mkdir()
    (inside / "made" / "file").write_text("new")
    kept = (box / "same").stat().st_ino
    assert transfer.copy_out(_open(inside)) == ()
    assert (box / "changed").read_text() == "by the run"
    assert (box / "made" / "file").read_text() == "new"
    assert not (box / "removed").exists()
    assert (box / "link").is_symlink()
    assert (box / "same").stat().st_ino == kept, "what did not change is not copied again"


def test_a_change_is_seen_though_size_and_time_were_put_back(box: Path, inside: Path) -> None:
    (box / "file").write_text("aaaa")
    transfer = _round_trip(box, inside)
    before = (inside / "file").stat()
    (inside / "file").write_text("bbbb")
    os.utime(inside / "file", ns=(before.st_atime_ns, before.st_mtime_ns))
    transfer.copy_out(_open(inside))
    assert (box / "file").read_text() == "bbbb"


def test_what_is_no_plain_file_stays_behind_and_hides_no_older_file(
    box: Path, inside: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    for name in ("link", "pipe", "twice"):
        (box / name).write_text("from before")
    transfer = _round_trip(box, inside)
    for name in ("link", "pipe", "twice"):
        (inside / name).unlink()
    (inside / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(inside / "pipe")
    (inside / "twice").write_text("x")
    os.link(inside / "twice", inside / "again")
    left = transfer.copy_out(_open(inside))
    assert sorted(left) == [
        "again: 2 names",
        "link: not a regular file (l)",
        "pipe: not a regular file (p)",
        "twice: 2 names",
    ]
    assert list(box.iterdir()) == []


def test_a_folder_in_place_of_a_link_is_not_written_through(
    box: Path, inside: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (box / "folder").symlink_to(outside)
    transfer = _round_trip(box, inside)
    (inside / "folder").unlink()
    (inside / "folder").mkdir()
    (inside / "folder" / "file").write_text("x")
    transfer.copy_out(_open(inside))
    assert list(outside.iterdir()) == []
    assert (box / "folder" / "file").read_text() == "x"


def test_size_and_number_are_bounded(box: Path, inside: Path) -> None:
    transfer = _round_trip(box, inside, Limits(box_bytes=1000, box_files=5))
    with open(inside / "sparse", "wb") as file:
        file.truncate(1 << 34)
    left = transfer.copy_out(_open(inside))
    assert left == ("sparse: more than 1000 bytes in all",)
    for number in range(9):
        (inside / str(number)).write_text("x")
    left = _round_trip(box, inside, Limits(box_files=5)).copy_out(_open(inside))
    assert "more than 5 files" in left[-1]
    assert len(list(box.iterdir())) <= 5


def test_names_that_reach_a_terminal_are_plain(box: Path, inside: Path) -> None:
    transfer = _round_trip(box, inside)
    (inside / "\x1b[31m\n").symlink_to("x")
    (reason,) = transfer.copy_out(_open(inside))
    assert reason == "\\x1b[31m\\n: not a regular file (l)"


def test_a_folder_on_disk_is_watched(tmp_path: Path) -> None:
    gauge = Gauge(tmp_path, Limits(box_bytes=1 << 20, file_bytes=1 << 20, box_files=10))
    assert gauge.overfull() == ""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "big").write_bytes(os.urandom(3 << 20))
    assert "bytes in files" in gauge.overfull()
    (tmp_path / "deep" / "big").unlink()
    for number in range(12):
        (tmp_path / str(number)).touch()
    assert gauge.overfull() == "more than 10 files"
