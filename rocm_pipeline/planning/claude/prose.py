"""Python source without what its author says in prose: comments and docstrings are blank."""

import ast
import io
import tokenize
from collections.abc import Iterator

_HAS_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
Span = tuple[int, int, int, int]
"""First line, first column, last line, last column; lines from 1, columns in characters."""


def without_prose(source: str) -> str:
    """Return `source` with every line under its own number; ValueError when it is no Python."""
    try:
        spans = [*_comments(source), *_docstrings(source)]
    except (SyntaxError, tokenize.TokenError, RecursionError) as error:
        raise ValueError(f"the source cannot be read: {error}") from error
    lines = source.split("\n")
    for first, begin, last, end in spans:
        for number in range(first, last + 1):
            text = lines[number - 1]
            start = begin if number == first else 0
            stop = end if number == last else len(text)
            lines[number - 1] = text[:start] + " " * (stop - start) + text[stop:]
    return "\n".join(line.rstrip() for line in lines)


def _comments(source: str) -> Iterator[Span]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield *token.start, *token.end


def _docstrings(source: str) -> Iterator[Span]:
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, _HAS_DOCSTRING) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            value = first.value
            if isinstance(value.value, str):
                last = value.end_lineno or value.lineno
                yield (
                    value.lineno,
                    _characters(lines[value.lineno - 1], value.col_offset),
                    last,
                    _characters(lines[last - 1], value.end_col_offset or 0),
                )


def _characters(line: str, offset: int) -> int:
    """Return the column in characters of an offset in UTF-8 bytes, as `ast` counts them."""
    return len(line.encode()[:offset].decode())
