"""The expression language of targets and launch plans."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocm_pipeline.targets.expressions import ExpressionError, evaluate, parse, symbols_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("-3 + 5", 2),
        ("2 * (rows + 1)", 22),
        ("cols // 4", 8),
        ("cols % 5", 3),
        ("ceildiv(rows, 4)", 3),
        ("ceildiv(-7, 2)", -3),
        ("min(rows, cols, 3)", 3),
        ("max(rows, cols)", 33),
    ],
)
def test_an_expression_has_the_value_of_its_arithmetic(text: str, value: int) -> None:
    assert evaluate(text, {"rows": 10, "cols": 33}) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rows rows",
        "rows / 2",
        "rows ** 9",
        "rows << 3",
        "1.5",
        "'a'",
        "True",
        "rows.real",
        "rows[0]",
        "abs(rows)",
        "__import__('os')",
        "(lambda: 1)()",
        "[1]",
        "rows if cols else 1",
        "rows > 1",
        "min()",
        "ceildiv(1)",
        "min(*[1])",
        "max(a=1)",
        "x := 3",
        f"{2**63}",
        "(" * 300 + "1" + ")" * 300,
        "1+" * 300 + "1",
    ],
)
def test_anything_outside_the_language_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_a_missing_symbol_is_named_with_those_that_exist() -> None:
    with pytest.raises(ExpressionError, match="names 'cols'; the symbols are rows"):
        evaluate("cols + 1", {"rows": 1})


@pytest.mark.parametrize("text", ["1 // zero", "1 % zero", "ceildiv(1, zero)"])
def test_division_by_zero_is_an_expression_error(text: str) -> None:
    with pytest.raises(ExpressionError, match="divides by zero"):
        evaluate(text, {"zero": 0})


def test_symbols_are_the_names_that_are_no_functions() -> None:
    assert symbols_of("min(rows, 4) + ceildiv(cols, WAVE)") == {"rows", "cols", "WAVE"}


@given(st.text(max_size=60))
def test_no_text_does_anything_but_parse_or_raise(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        parse(text)


@given(st.integers(0, 10**6), st.integers(1, 10**4))
def test_ceildiv_covers_all_with_no_block_too_many(size: int, block: int) -> None:
    blocks = evaluate("ceildiv(n, b)", {"n": size, "b": block})
    assert blocks * block >= size
    assert (blocks - 1) * block < size
