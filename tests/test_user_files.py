"""What a user names as a file is read only where it is one, of a bounded size, and text."""

import os
from pathlib import Path

import pytest
from pydantic import BaseModel

from rocm_pipeline.errors import UserError
from rocm_pipeline.user_files import MOST_BYTES, read_model, read_text


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_text(path, fix="Write one.")
    assert caught.value.where == str(path)
    return f"{caught.value.what}. {caught.value.fix}"


def test_a_file_is_read_to_its_last_character(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("für 16\r\n".encode())
    assert read_text(path) == "für 16\r\n"


def test_what_is_no_file_is_neither_waited_for_nor_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/dev/null")):
        assert refusal(path) == "is no plain file. Put a file there."


def test_a_file_that_is_not_there_is_refused_with_the_callers_fix(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    for path in (tmp_path / "absent", tmp_path / "link"):
        assert refusal(path) == "cannot be read (No such file or directory). Write one."
    assert refusal(tmp_path / "a\0b").startswith("cannot be read (embedded null byte)")
    assert "directory" in refusal(tmp_path)


def test_a_giant_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * MOST_BYTES)
    assert len(read_text(path)) == MOST_BYTES
    with path.open("ab") as file:
        file.truncate(1 << 40)
    assert refusal(path) == f"is larger than {MOST_BYTES} bytes. Make it smaller."


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\xff\xfe")
    assert refusal(path) == "is no UTF-8 text. Save it as UTF-8."


class _Sizes(BaseModel):
    rows: int
    factor: float = 1.0


def test_json_is_read_as_a_model(tmp_path: Path) -> None:
    path = tmp_path / "sizes.json"
    path.write_text('{"rows": 3, "factor": 0.5}')
    assert read_model(_Sizes, path) == _Sizes(rows=3, factor=0.5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no plain JSON: Expecting value"),
        ('{"rows": 1, "rows": 2}', "is no plain JSON: it has 'rows' twice"),
        ('{"rows": 1, "factor": NaN}', "is no plain JSON: it has NaN, which is no number"),
        ('{"rows": 1, "factor": -Infinity}', "is no plain JSON: it has -Infinity"),
        pytest.param("[" * 100_000, "is no plain JSON: maximum recursion", id="deep"),
        pytest.param("9" * 5000, "is no plain JSON: Exceeds the limit", id="long"),
        ('{"rows": "x"}', "rows: Input should be a valid integer"),
        ("[1]", "Input should be a mapping"),
    ],
)
def test_json_that_holds_no_such_model_is_refused_in_one_line(
    text: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "sizes.json"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_model(_Sizes, path)
    assert str(caught.value).startswith(f"{path}: {told}")
    assert "\n" not in str(caught.value)
