"""Integer expressions in targets and launch plans.

The whole language: integers, symbols, `+ - * // %`, `min max ceildiv`. Nothing else evaluates,
because launch plans come from agents.
"""

import ast
import warnings
from collections.abc import Mapping
from functools import lru_cache
from threading import RLock
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from rocm_pipeline.errors import one_line

MAX_LENGTH = 400
MAX_DEPTH = 60
MAX_BITS = 63
"""Of any value on the way; sizes and addresses have no more, and numbers stay cheap."""

_FUNCTIONS = {"min", "max", "ceildiv"}
_ONE_AT_A_TIME = RLock()
"""CPython 3.11 counts the depth of `ast.parse` in one place for all threads: when a garbage
collection lets another thread in, both can raise SystemError."""
_LANGUAGE = "allowed are integers, symbols, + - * // %, min(), max() and ceildiv()"


class ExpressionError(ValueError):
    """The text is not an expression of the language, or has no value for these symbols."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def ceildiv(numerator: int, denominator: int) -> int:
    """Return `numerator / denominator` rounded up."""
    return -(-numerator // denominator)


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """Return the syntax tree of `text`, or raise `ExpressionError` naming what is not allowed."""
    tree = parse_python(text)
    _check(tree, text, depth=0)
    return tree


def parse_python(text: str) -> ast.expr:
    """Return the tree of a Python expression of which nothing is known to be allowed yet."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"expression longer than {MAX_LENGTH} characters")
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `1if` is refused later, in our own words
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"'{text}' is not an expression; {_LANGUAGE}") from error


def symbols_of(text: str) -> frozenset[str]:
    """Return the names that the expression needs a value for."""
    return frozenset(
        node.id
        for node in ast.walk(parse(text))
        if isinstance(node, ast.Name) and node.id not in _FUNCTIONS
    )


def evaluate(text: str, symbols: Mapping[str, int]) -> int:
    """Return the value of `text` for these symbols."""
    return _value(parse(text), symbols, text)


def _bounded(value: int, text: str) -> int:
    if value.bit_length() > MAX_BITS:
        raise ExpressionError(f"'{text}' needs more than {MAX_BITS} bits")
    return value


def _check(node: ast.expr, text: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ExpressionError(f"'{text}' is nested deeper than {MAX_DEPTH}")
    match node:
        case ast.Constant(value=bool()):
            raise ExpressionError(f"'{text}' holds a truth value; {_LANGUAGE}")
        case ast.Constant(value=int() as value):
            _bounded(value, text)
        case ast.Name():
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, text, depth + 1)
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.FloorDiv() | ast.Mod()):
            _check(node.left, text, depth + 1)
            _check(node.right, text, depth + 1)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            if not args or (name == "ceildiv" and len(args) != 2):
                raise ExpressionError(f"'{text}': {name}() has the wrong number of arguments")
            for argument in args:
                _check(argument, text, depth + 1)
        case _:
            raise ExpressionError(f"'{text}' holds {ast.unparse(node)!r}; {_LANGUAGE}")


def _value(node: ast.expr, symbols: Mapping[str, int], text: str) -> int:
    match node:
        case ast.Constant(value=int() as value):
            return _bounded(value, text)
        case ast.Name(id=name):
            if name not in symbols:
                known = ", ".join(sorted(symbols)) or "none"
                raise ExpressionError(f"'{text}' names '{name}'; the symbols are {known}")
            return _bounded(symbols[name], text)
        case ast.UnaryOp(operand=operand):
            return -_value(operand, symbols, text)
        case ast.BinOp(left=left, op=op, right=right):
            values = _value(left, symbols, text), _value(right, symbols, text)
            return _bounded(_binary(op, *values, text), text)
        case ast.Call(func=ast.Name(id=name), args=args):
            values = [_value(argument, symbols, text) for argument in args]
            return _call(name, values, text)
        case _:
            raise ExpressionError(f"'{text}' cannot be evaluated")


def _binary(op: ast.operator, left: int, right: int, text: str) -> int:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case _:
            pass
    if right == 0:
        raise ExpressionError(f"'{text}' divides by zero")
    return left // right if isinstance(op, ast.FloorDiv) else left % right


def _call(name: str, values: list[int], text: str) -> int:
    if name == "ceildiv":
        if values[1] == 0:
            raise ExpressionError(f"'{text}' divides by zero")
        return ceildiv(values[0], values[1])
    return min(values) if name == "min" else max(values)


def _checked(text: str) -> str:
    parse(text)
    return text


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Expression = Annotated[str, BeforeValidator(_as_text), AfterValidator(_checked)]
"""A pydantic field that holds an expression; plain integers are accepted too."""
