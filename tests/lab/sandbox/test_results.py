import os
import socket
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import ResultRefused, read_json, read_result


def test_a_plain_file_is_read_whole_up_to_its_limit(box: Path) -> None:
    (box / "deep").mkdir()
    (box / "deep" / "out.json").write_bytes(b"12345")
    assert read_result(box, "deep/out.json", 5) == b"12345"
    with pytest.raises(ResultRefused, match="larger than 4"):
        read_result(box, "deep/out.json", 4)


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret", "a/../../secret", "", "."])
def test_a_name_outside_the_box_is_refused(box: Path, name: str) -> None:
    (box.parent / "secret").write_text("x")
    with pytest.raises(ResultRefused, match="not a path inside"):
        read_result(box, name, 100)


def test_an_absent_result_is_refused(box: Path) -> None:
    with pytest.raises(ResultRefused, match="No such file"):
        read_result(box, "none", 100)


def test_links_are_not_followed_at_the_end_or_on_the_way(box: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (box / "file").symlink_to(tmp_path / "secret")
    (box / "folder").symlink_to(tmp_path)
    assert (box / "file").read_text() == (box / "folder" / "secret").read_text() == "x"
    for name in ("file", "folder/secret"):
        with pytest.raises(ResultRefused):
            read_result(box, name, 100)


def test_a_second_name_for_a_file_is_refused(box: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    os.link(tmp_path / "secret", box / "out")
    assert (box / "out").read_text() == "x"
    with pytest.raises(ResultRefused, match="2 names"):
        read_result(box, "out", 100)


def test_what_is_not_a_file_is_refused_without_waiting(
    box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(box / "pipe")
    (box / "folder").mkdir()
    monkeypatch.chdir(box)  # a socket's path may be only 108 bytes long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for name in ("pipe", "folder", "socket"):
            with pytest.raises(ResultRefused):
                read_result(box, name, 100)
    (box / "zero").symlink_to("/dev/zero")
    with pytest.raises(ResultRefused):
        read_result(box, "zero", 100)


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", "[Infinity]", '{"a": -Infinity}', "1e999", '{"a": 1, "a": 2}', "[" * 100000],
)
def test_json_that_is_not_plain_is_refused(box: Path, text: str) -> None:
    (box / "out").write_text(text)
    with pytest.raises(ResultRefused, match="not plain JSON"):
        read_json(box, "out", 1 << 20)


def test_plain_json_is_read(box: Path) -> None:
    (box / "out").write_text('{"a": [1, 2.5, null, "x"]}')
    assert read_json(box, "out", 100) == {"a": [1, 2.5, None, "x"]}
