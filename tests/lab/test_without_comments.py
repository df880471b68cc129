"""Sources without comments: the code as it was, every line under its own number."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rocm_pipeline.lab.source_tokens import Token, tokens, without_comments


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("int a; // one\nint b;", "int a;\nint b;"),
        ("/* two\n lines */ int a;", "\n int a;"),
        ("// spliced \\\n still one\nint a;", "\n\nint a;"),
        ('"// no comment"; // one', '"// no comment";'),
        ("int a = 1'000; // it's one", "int a = 1'000;"),
        ("a /* x */ / b", "a   / b"),
        ("int a; \\\nint b;\nint c;", "int a; int b;\n\nint c;"),
    ],
)
def test_comments_are_blank_and_lines_keep_their_numbers(source: str, shown: str) -> None:
    assert without_comments(source) == shown


def test_code_after_a_string_with_a_splice_is_no_comment() -> None:
    source = '"text \\ \n // " ; hidden();'
    assert "hidden()" in without_comments(source)


_PIECES = ("a", "1", " ", "/", "*", '"', "'", "\\\n", "\n", ";", "#")


def read_by_a_compiler(token: Token) -> str:
    """A comment that is never closed is an error; its line ends and what is before them move."""
    return "".join(token.text.split()) if token.kind == "open literal" else token.text.rstrip()


@given(st.lists(st.sampled_from(_PIECES), max_size=60).map("".join))
@example("/*\\\n\na")
def test_nothing_that_a_compiler_reads_is_lost(source: str) -> None:
    shown = without_comments(source)
    words = [[read_by_a_compiler(token) for token in tokens(text)] for text in (shown, source)]
    assert words[0] == words[1]
    assert shown.count("\n") == source.count("\n")
