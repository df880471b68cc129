"""Constraints on symbols: two expressions, or more, with a comparison between each two.

`dim <= 64`, `n % 4 == 0`, `1 <= heads < 128`. Nothing else evaluates.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator

from rocm_pipeline.targets.expressions import ExpressionError, evaluate, parse_python, symbols_of

_COMPARISONS: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def check_constraint(text: str) -> frozenset[str]:
    """Return the symbols a constraint names; raises ExpressionError when it is none."""
    sides, _ = _parts(text)
    return frozenset[str]().union(*(symbols_of(side) for side in sides))


def holds(text: str, symbols: Mapping[str, int]) -> bool:
    """Say whether the constraint is true; one that has no value (division by zero) is not."""
    sides, comparisons = _parts(text)
    try:
        values = [evaluate(side, symbols) for side in sides]
    except ExpressionError:
        return False
    between = zip(values, comparisons, values[1:], strict=False)
    return all(comparison(left, right) for left, comparison, right in between)


def settle(constraints: Sequence[str], symbols: Mapping[str, int]) -> dict[str, int]:
    """Move sizes to the nearest ones that constraints of a simple form admit.

    These are a symbol compared with an expression (`n == 2 * m`, `dim <= 64`) and a symbol's
    remainder (`n % 4 == 0`). Whether the others hold is for `holds` to say.
    """
    settled = dict(symbols)
    for text in constraints:
        tree = parse_python(text)
        match tree:
            case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[right]):
                _bound(settled, name, op, _evaluated(right, settled))
            case ast.Compare(
                left=ast.BinOp(left=ast.Name(id=name), op=ast.Mod(), right=step),
                ops=[ast.Eq()],
                comparators=[ast.Constant(value=0)],
            ):
                unit = _evaluated(step, settled)
                if unit is not None and unit > 0 and name in settled:
                    settled[name] = max(settled[name] // unit, 1) * unit
            case _:
                pass
    return settled


def _bound(symbols: dict[str, int], name: str, op: ast.cmpop, value: int | None) -> None:
    if value is None or name not in symbols:
        return
    match op:
        case ast.Eq():
            symbols[name] = value
        case ast.LtE():
            symbols[name] = min(symbols[name], value)
        case ast.Lt():
            symbols[name] = min(symbols[name], value - 1)
        case ast.GtE():
            symbols[name] = max(symbols[name], value)
        case ast.Gt():
            symbols[name] = max(symbols[name], value + 1)
        case _:
            pass


def _evaluated(node: ast.expr, symbols: Mapping[str, int]) -> int | None:
    try:
        return evaluate(ast.unparse(node), symbols)
    except ExpressionError:
        return None


def _parts(text: str) -> tuple[list[str], list[Callable[[int, int], bool]]]:
    tree = parse_python(text)
    if not isinstance(tree, ast.Compare) or any(type(op) not in _COMPARISONS for op in tree.ops):
        raise ExpressionError(f"'{text}' is no comparison like 'n % 4 == 0' (< <= > >= == !=)")
    sides = [ast.unparse(side) for side in (tree.left, *tree.comparators)]
    for side in sides:
        symbols_of(side)
    return sides, [_COMPARISONS[type(op)] for op in tree.ops]


def _checked(text: str) -> str:
    check_constraint(text)
    return text


Constraint = Annotated[str, AfterValidator(_checked)]
"""A pydantic field that holds a constraint."""
