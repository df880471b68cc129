"""A bundle on the disk: whole or not at all, and nothing in it but what SHA256SUMS lists."""

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rocm_pipeline.bundle import folder as module
from rocm_pipeline.bundle.folder import SUMS, BundleRefused, read_folder, write_folder
from rocm_pipeline.errors import UserError

FILES = {"a.json": b"{}\n", "deep/b.npy": b"\x93NUMPY", "c.txt": b""}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_folder(tmp_path / "bundle", FILES)
    return tmp_path / "bundle"


def sum_of(path: str, content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()}  {path}\n"


def test_what_was_written_is_what_is_read(bundle: Path) -> None:
    assert read_folder(bundle) == FILES


def test_anybody_can_check_the_sums_without_this_program(bundle: Path) -> None:
    subprocess.run(["sha256sum", "--strict", "-c", SUMS], cwd=bundle, check=True)


def test_an_existing_folder_is_never_written_to(bundle: Path) -> None:
    with pytest.raises(UserError, match="there already"):
        write_folder(bundle, {"a.json": b"other"})
    assert read_folder(bundle) == FILES


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        write_folder(tmp_path / "bundle", FILES)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_a_folders_place_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="a file is above it"):
        write_folder(tmp_path / "file" / "bundle", FILES)


def alter(bundle: Path) -> None:
    (bundle / "a.json").write_bytes(b"{ }")


def remove(bundle: Path) -> None:
    (bundle / "deep" / "b.npy").unlink()


def add(bundle: Path) -> None:
    (bundle / "deep" / "more").write_bytes(b"")


def hide(bundle: Path) -> None:
    (bundle / ".hidden").write_bytes(b"")


def link(bundle: Path) -> None:
    (bundle / "a.json").unlink()
    (bundle / "a.json").symlink_to("/etc/passwd")


def link_a_folder(bundle: Path) -> None:
    (bundle / "more").symlink_to("/etc")


def name_twice(bundle: Path) -> None:
    os.link(bundle / "a.json", bundle.parent / "second name")


def pipe(bundle: Path) -> None:
    os.mkfifo(bundle / "pipe")


def no_sums(bundle: Path) -> None:
    (bundle / SUMS).unlink()


def empty_sums(bundle: Path) -> None:
    (bundle / SUMS).write_bytes(b"")


def noise(bundle: Path) -> None:
    (bundle / SUMS).write_bytes(b"\xff\x00 not sums")


def climb(bundle: Path) -> None:
    (bundle.parent / "outside").write_bytes(b"x")
    with (bundle / SUMS).open("a") as file:
        file.write(sum_of("../outside", b"x"))


def start_at_the_root(bundle: Path) -> None:
    with (bundle / SUMS).open("a") as file:
        file.write(sum_of("/etc/hostname", b"x"))


def list_twice(bundle: Path) -> None:
    with (bundle / SUMS).open("a") as file:
        file.write(sum_of("a.json", b"{}\n"))


def nest(bundle: Path) -> None:
    (bundle / "x" / "y" / "z").mkdir(parents=True)
    (bundle / "x" / "y" / "z" / "file").write_bytes(b"")


def grow(bundle: Path) -> None:
    with (bundle / "c.txt").open("wb") as file:
        file.truncate(module.MOST_BYTES + 1)


def crowd(bundle: Path) -> None:
    for number in range(module.MOST_FILES):
        (bundle / f"file{number}").write_bytes(b"")


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (alter, "a.json was altered"),
        (remove, "deep/b.npy is missing"),
        (add, "deep/more is not listed"),
        (hide, "no name for a file"),
        (link, "is a link"),
        (link_a_folder, "is a link"),
        (name_twice, "2 names"),
        (pipe, "special file"),
        (no_sums, "holds no SHA256SUMS"),
        (empty_sums, "is not listed"),
        (noise, "SHA256SUMS line 1"),
        (climb, "no name for a file"),
        (start_at_the_root, "no name for a file"),
        (list_twice, "is not a new"),
        (nest, "too deep"),
        (grow, "larger than"),
        (crowd, "more than"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_folder_that_was_tampered_with_is_refused(
    bundle: Path, attack: Callable[[Path], None], message: str
) -> None:
    attack(bundle)
    with pytest.raises(BundleRefused, match=message):
        read_folder(bundle)


@pytest.mark.parametrize("name", ["../x", "/x", ".git/config", "a/../b", "a b", "a\nb", "", "x/"])
def test_no_other_name_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleRefused, match="no name for a file"):
        write_folder(tmp_path / "bundle", {name: b""})
    assert not (tmp_path / "bundle").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no folder"):
        read_folder(tmp_path / "absent")
