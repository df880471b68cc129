import pytest

from rocm_pipeline.lab.sandbox.text import plain


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        (b"a\r\nb\rc", "a\nbc"),
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07x", "x"),
        (b"\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPdevice\x1b\\x", "x"),
        (b"\x1b(Bx\x1bc", "x"),
        (b"\x1b", ""),
        ("\x9b31mx".encode(), "31mx"),
        (b"nul\0bell\a", "nulbell"),
        ("\u202egnp.exe\u2066".encode(), "gnp.exe"),
        (b"caf\xc3\xa9 \xff", "caf\u00e9 \ufffd"),
    ],
)
def test_text_is_made_safe_to_print(written: bytes, shown: str) -> None:
    assert plain(written) == shown


def test_a_megabyte_of_escape_characters_is_cheap() -> None:
    assert plain(b"\x1b]" * 500_000) == ""
